"""Starting and stopping the service: its processes, sockets, ports and files."""
