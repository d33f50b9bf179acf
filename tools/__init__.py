"""What make runs beside the platform: the API document, keys, pictures, functions under AWS's emulator."""
