/* A library for LD_PRELOAD that lets calls fail as they do on other file systems.

   SHIM_READ_ONLY  paths, separated by colons, below which nothing can be created: EROFS
   SHIM_FULL       paths below which nothing more can be written: ENOSPC
   SHIM_STALE      the end of a file's name, whose reads fail as those of a lost NFS do: ESTALE
   SHIM_NO_LINKS   set: no hard or symbolic links: EPERM
   SHIM_NO_LOCKS   set: no locks of files: ENOLCK
   SHIM_NO_MEMFD   set: no files in memory: ENOSYS */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

#define REAL(result, name, ...) \
  static result (*real)(__VA_ARGS__); \
  if (!real) real = dlsym(RTLD_NEXT, #name)

static int is_below(const char *path, const char *variable) {
  const char *roots = getenv(variable);
  while (roots && *roots) {
    size_t n = strcspn(roots, ":");
    if (n && !strncmp(path, roots, n) && (path[n] == '/' || !path[n])) return 1;
    roots += n + (roots[n] == ':');
  }
  return 0;
}

static const char *path_of(int fd, char *buffer, size_t size) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, buffer, size - 1);
  buffer[n < 0 ? 0 : n] = 0;
  return buffer;
}

static int refused(const char *path) {
  if (is_below(path, "SHIM_READ_ONLY")) { errno = EROFS; return 1; }
  if (is_below(path, "SHIM_FULL")) { errno = ENOSPC; return 1; }
  return 0;
}

static int is_stale(int fd) {
  char buffer[4096];
  const char *end = getenv("SHIM_STALE"), *path;
  if (!end) return 0;
  path = path_of(fd, buffer, sizeof buffer);
  if (strlen(path) < strlen(end) || strcmp(path + strlen(path) - strlen(end), end)) return 0;
  errno = ESTALE;
  return 1;
}

#define OPEN(name) \
  int name(const char *path, int flags, ...) { \
    REAL(int, name, const char *, int, ...); \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (flags & (O_CREAT | O_WRONLY | O_RDWR) && refused(path)) return -1; \
    return real(path, flags, mode); \
  }
OPEN(open)
OPEN(open64)

#define OPENAT(name) \
  int name(int folder, const char *path, int flags, ...) { \
    REAL(int, name, int, const char *, int, ...); \
    va_list rest; va_start(rest, flags); mode_t mode = va_arg(rest, mode_t); va_end(rest); \
    if (flags & (O_CREAT | O_WRONLY | O_RDWR) && refused(path)) return -1; \
    return real(folder, path, flags, mode); \
  }
OPENAT(openat)
OPENAT(openat64)

int mkdir(const char *path, mode_t mode) {
  REAL(int, mkdir, const char *, mode_t);
  return refused(path) ? -1 : real(path, mode);
}

ssize_t read(int fd, void *to, size_t n) {
  REAL(ssize_t, read, int, void *, size_t);
  return is_stale(fd) ? -1 : real(fd, to, n);
}

ssize_t preadv(int fd, const struct iovec *to, int n, off_t at) {
  REAL(ssize_t, preadv, int, const struct iovec *, int, off_t);
  return is_stale(fd) ? -1 : real(fd, to, n, at);
}

ssize_t preadv64(int fd, const struct iovec *to, int n, off64_t at) {
  REAL(ssize_t, preadv64, int, const struct iovec *, int, off64_t);
  return is_stale(fd) ? -1 : real(fd, to, n, at);
}

ssize_t preadv64v2(int fd, const struct iovec *to, int n, off64_t at, int flags) {
  REAL(ssize_t, preadv64v2, int, const struct iovec *, int, off64_t, int);
  return is_stale(fd) ? -1 : real(fd, to, n, at, flags);
}

#define NO_LINKS if (getenv("SHIM_NO_LINKS")) { errno = EPERM; return -1; }

int link(const char *from, const char *to) {
  REAL(int, link, const char *, const char *);
  NO_LINKS
  return real(from, to);
}

int linkat(int a, const char *from, int b, const char *to, int flags) {
  REAL(int, linkat, int, const char *, int, const char *, int);
  NO_LINKS
  return real(a, from, b, to, flags);
}

int symlink(const char *from, const char *to) {
  REAL(int, symlink, const char *, const char *);
  NO_LINKS
  return real(from, to);
}

int flock(int fd, int operation) {
  REAL(int, flock, int, int);
  if (getenv("SHIM_NO_LOCKS")) { errno = ENOLCK; return -1; }
  return real(fd, operation);
}

int memfd_create(const char *name, unsigned int flags) {
  REAL(int, memfd_create, const char *, unsigned int);
  if (getenv("SHIM_NO_MEMFD")) { errno = ENOSYS; return -1; }
  return real(name, flags);
}
