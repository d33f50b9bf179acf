# Deploys the packaged template and its images: what `make deploy` does, for teams that use Terraform and not SAM.
# docs/deploy.md#with-terraform has the steps. CloudFormation still makes the resources, so they are those of template.yaml.

locals {
  stack_name = coalesce(var.stack_name, "mlops-${var.environment}")
  tags       = merge({ project = "mlops", environment = var.environment }, var.tags)
  # Before the images are pushed there are only their repositories.
  has_images = var.training_image != null && var.tracking_image != null
  images     = toset(["training", "tracking"])
}

data "aws_region" "present" {}

resource "aws_iam_service_linked_role" "missing" {
  for_each         = var.service_linked_roles
  aws_service_name = each.value
}

resource "aws_ecr_repository" "images" {
  for_each = local.images
  name     = "${local.stack_name}/${each.value}"
  tags     = local.tags
  image_scanning_configuration {
    scan_on_push = true
  }
}

resource "aws_ecr_lifecycle_policy" "latest" {
  for_each   = aws_ecr_repository.images
  repository = each.value.name
  policy = jsonencode({
    rules = [{
      rulePriority = 1
      description  = "Keep the latest images, for rollbacks"
      selection    = { tagStatus = "any", countType = "imageCountMoreThan", countNumber = 10 }
      action       = { type = "expire" }
    }]
  })
}

# Lambda would add it by itself, if whoever deploys may set policies of repositories.
resource "aws_ecr_repository_policy" "tracking" {
  repository = aws_ecr_repository.images["tracking"].name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "LambdaReadsImages"
      Effect    = "Allow"
      Principal = { Service = "lambda.amazonaws.com" }
      Action    = ["ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    }]
  })
}

# The template is too large to be an argument, so CloudFormation reads it from S3.
resource "aws_s3_object" "template" {
  bucket = var.package_bucket
  key    = "${local.stack_name}/${filemd5(var.packaged_template)}.template"
  source = var.packaged_template
  tags   = local.tags
}

resource "aws_cloudformation_stack" "platform" {
  count        = local.has_images ? 1 : 0
  name         = local.stack_name
  template_url = "https://${var.package_bucket}.s3.${data.aws_region.present.name}.amazonaws.com/${aws_s3_object.template.key}"
  capabilities = ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"]
  parameters = merge(var.parameters, {
    Environment   = var.environment
    TrainingImage = var.training_image
    TrackingImage = var.tracking_image
  })
  tags       = local.tags
  depends_on = [aws_iam_service_linked_role.missing, aws_ecr_repository_policy.tracking]
  timeouts {
    create = "90m"
    update = "90m"
    delete = "90m"
  }
}

resource "aws_s3_object" "model_types" {
  count        = local.has_images && var.model_types != null ? 1 : 0
  bucket       = aws_cloudformation_stack.platform[0].outputs["ArtifactBucketName"]
  key          = "platform/model-types.json"
  source       = var.model_types
  source_hash  = filemd5(var.model_types)
  content_type = "application/json"
}
