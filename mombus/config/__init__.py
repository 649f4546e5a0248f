"""What the plant's people declared: `routes.yaml` read strictly, every finding with its place."""
