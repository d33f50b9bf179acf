"""What the platform runs on: nested CloudFormation templates, the local stack and the operators' tools."""
