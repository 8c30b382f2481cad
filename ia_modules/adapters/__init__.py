"""Other libraries' calls as steps within a step: each module needs the extra of its name."""
