"""Where session resources live: whoever asks for a session writes them here, whoever reconciles acts on them."""
