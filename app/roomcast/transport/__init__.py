"""The public door: gevent, sockets, and the members behind them."""
