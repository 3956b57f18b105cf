"""Plant Twin: sensors, streams, storage, safe actuators and a model of the plant."""
