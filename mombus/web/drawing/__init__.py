"""Where things are on a drawing: pure functions from what is shown to places, in pixels. Templates only draw them."""
