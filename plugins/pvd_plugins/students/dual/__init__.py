"""Two towers, for texts and for pictures: what CLIP, SigLIP and open_clip students share."""
