"""How the parts meet: topics, messaging services, REST clients and the electrical wire."""
