/* Loaded into the server in front of libc: a disk that is slow, full or broken when the test says
   so. The test writes three 32-bit numbers into the file named by FAULTDISK: microseconds that
   every sync takes longer, whether syncs fail, whether writes find no space. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct control {
  volatile uint32_t sync_delay_us, sync_fails, no_space;
};

static struct control none;
static struct control *control = &none;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("FAULTDISK");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  if (fd < 0) return;
  void *map = mmap(NULL, sizeof *control, PROT_READ, MAP_SHARED, fd, 0);
  if (map != MAP_FAILED) control = map;
  close(fd);
}

static int slow_or_broken(void) {
  uint32_t delay = control->sync_delay_us;
  struct timespec time = {delay / 1000000, (long)(delay % 1000000) * 1000};
  if (delay) nanosleep(&time, NULL);
  if (!control->sync_fails) return 0;
  errno = EIO;
  return -1;
}

/* Only files are on the disk; pipes and sockets go on. */
static int no_space(int fd) {
  struct stat stat;
  if (!control->no_space || fstat(fd, &stat) != 0 || !S_ISREG(stat.st_mode)) return 0;
  errno = ENOSPC;
  return -1;
}

#define NEXT(name) __typeof__(&name) next = (__typeof__(&name))dlsym(RTLD_NEXT, #name)

int fsync(int fd) { NEXT(fsync); return slow_or_broken() ? -1 : next(fd); }
int fdatasync(int fd) { NEXT(fdatasync); return slow_or_broken() ? -1 : next(fd); }
ssize_t write(int fd, const void *from, size_t bytes) { NEXT(write); return no_space(fd) ? -1 : next(fd, from, bytes); }
ssize_t writev(int fd, const struct iovec *parts, int count) { NEXT(writev); return no_space(fd) ? -1 : next(fd, parts, count); }
ssize_t pwrite64(int fd, const void *from, size_t bytes, off64_t at) { NEXT(pwrite64); return no_space(fd) ? -1 : next(fd, from, bytes, at); }
