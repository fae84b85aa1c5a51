"""Files below a root that nothing leads out of. Knows neither the wire nor the home."""
