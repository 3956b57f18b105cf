"""The plant box: physics, chips and wiring of a simulated rig; its truth stays its own."""
