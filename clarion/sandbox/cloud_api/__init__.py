"""Parts of WhatsApp's twin (`twins.whatsapp`): each follows the documentation of one thing."""
