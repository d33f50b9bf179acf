"""Run the database migration as a custom resource of CloudFormation."""
