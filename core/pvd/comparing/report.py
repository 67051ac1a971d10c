def render(findings):
    return ""
