"""What the end-to-end tests stand on: processes, configurations, scripted upstreams, checks by the vendors' types."""
