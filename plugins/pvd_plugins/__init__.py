"""The plug-ins that come with pvd; they use nothing that a stranger's plug-in could not."""
