"""A self-contained story on loopback that shows the daemon doing its main job."""
