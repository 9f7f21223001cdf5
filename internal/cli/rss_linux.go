package cli

// rssUnit is the unit in which the kernel tells a process's greatest size.
const rssUnit = 1024
