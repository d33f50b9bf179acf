variable "environment" {
  description = "Environment of the platform: dev, staging or prod. It is the template's parameter Environment."
  type        = string
  default     = "dev"
  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "environment is dev, staging or prod."
  }
}

variable "stack_name" {
  description = "Name of the stack, and the beginning of the repositories' names. The default is mlops-<environment>."
  type        = string
  default     = null
}

variable "packaged_template" {
  description = "Path of the template that `sam package` has written."
  type        = string
}

variable "package_bucket" {
  description = "Bucket that the packaged template is put into, in the stack's region. The one of `sam package` will do."
  type        = string
}

variable "training_image" {
  description = "Address of the training image with its digest. Without the images only the repositories are made."
  type        = string
  default     = null
  validation {
    condition     = var.training_image == null || can(regex("@sha256:[0-9a-f]{64}$", var.training_image))
    error_message = "training_image names its digest: <repository>@sha256:…"
  }
}

variable "tracking_image" {
  description = "Address of the tracking server's image with its digest."
  type        = string
  default     = null
  validation {
    condition     = var.tracking_image == null || can(regex("@sha256:[0-9a-f]{64}$", var.tracking_image))
    error_message = "tracking_image names its digest: <repository>@sha256:…"
  }
}

variable "model_types" {
  description = "Path of what the training image prints with `python -m trainer types`. Without it POST /train answers 503."
  type        = string
  default     = null
}

variable "parameters" {
  description = "Further parameters of the template by name, such as { AlertEmail = \"ops@example.com\" }. docs/deploy.md lists them."
  type        = map(string)
  default     = {}
}

variable "service_linked_roles" {
  description = "Services whose service-linked role is made. Leave out those that the account has: aws iam list-roles shows them."
  type        = set(string)
  default     = []
}

variable "tags" {
  description = "Further tags of all that is made."
  type        = map(string)
  default     = {}
}
