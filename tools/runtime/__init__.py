"""AWS's own runtime for functions, without Docker: `sam build`'s artifacts under the runtime interface emulator."""
