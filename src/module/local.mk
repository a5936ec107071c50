# backend modules: programs of their own
