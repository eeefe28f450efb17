"""Tests of what is shipped for Prometheus and Grafana."""
