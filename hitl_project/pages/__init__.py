"""Pages of the admin that are no model's own, and what their readers need."""
