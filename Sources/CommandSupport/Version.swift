/// What `--version` says; the same of all our executables.
public let softwareVersion = "0.2.0"
