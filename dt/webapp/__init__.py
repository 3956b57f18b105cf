"""The dashboard: live values by Socket.IO, history by a same-origin proxy, and the page that shows them."""
