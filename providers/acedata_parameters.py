"""The inputs and parameters that AceData's document and its public SDK name for `/flux/images`.

Those of the other services are passed on as they are.
"""

from providers.parameters import Kind, Parameter

EDITING = ("flux-kontext-pro", "flux-kontext-max")
_FLUX = ("flux-*",)

PARAMETERS = (
    Parameter(
        "action",
        "input",
        Kind.STRING,
        "generate makes images from the prompt, edit changes the image at image_url.",
        (*_FLUX, "nano-banana*"),
        default="generate",
        example="generate",
        choices=("generate", "edit", "edits"),
    ),
    Parameter(
        "prompt", "input", Kind.STRING, "What to draw, or how to change the image.", example="a white siamese cat"
    ),
    Parameter(
        "image_url",
        "input",
        Kind.STRING,
        "URL of the image to edit.",
        _FLUX,
    ),
    Parameter(
        "size",
        "parameters",
        Kind.STRING,
        "Width and height in pixels, or a ratio such as 16:9 for the kontext models.",
        _FLUX,
        example="1024x1024",
        pattern=r"[0-9]+[x:][0-9]+",
        range_says="WxH, or a ratio W:H",
    ),
    Parameter(
        "count",
        "parameters",
        Kind.INTEGER,
        "How many images; for generate only.",
        _FLUX,
        default=1,
        example=2,
        minimum=1,
        firm=True,
    ),
)
