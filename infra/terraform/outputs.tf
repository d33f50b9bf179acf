output "repositories" {
  description = "Addresses of the image repositories, by image."
  value       = { for name, each in aws_ecr_repository.images : name => each.repository_url }
}

output "api_url" {
  description = "Address of the API. null before there are images."
  value       = one(aws_cloudformation_stack.platform[*].outputs["ApiUrl"])
}

output "outputs" {
  description = "All outputs of the stack. Empty before there are images."
  value       = merge({}, aws_cloudformation_stack.platform[*].outputs...)
}
