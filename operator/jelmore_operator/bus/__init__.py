"""The bus as whoever reconciles needs it: the last report and input of each session, and the events that it tells."""
