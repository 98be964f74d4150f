"""What the doors serve to browsers: the chat page, the dashboard, and the client that both of them use.

A floor below both doors, because both serve the client and neither may see the other.
"""

from roomcast.pages.documents import CHAT, CLIENT, CLIENT_PATH, DASHBOARD, Document

__all__ = ["CHAT", "CLIENT", "CLIENT_PATH", "DASHBOARD", "Document"]
