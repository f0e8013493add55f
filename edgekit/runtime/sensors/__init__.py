"""What a machine says of itself: power, heat, clocks and memory, from the kernel's files, a program or a library."""
