"""What Prometheus is told: names and help, series of an endpoint, and the exposition of it all."""
