# What debian:trixie-slim is, from debootstrap, where no registry of images can be reached.
FROM scratch
ADD base.tar /
CMD ["bash"]
