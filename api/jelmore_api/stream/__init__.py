"""Reading the log: in order from any place of it, live, as frames for clients.

rooms = Rooms(bus.connection)                        # close() first of all when shutting down
replay = Replay(bus.connection, postgres, rooms)
(await replay.end(key)).seq                          # `after` must not be beyond it
await websocket.accept()
await serve(websocket, replay, StreamRequest(key, after, deltas, batch), commands)
"""
