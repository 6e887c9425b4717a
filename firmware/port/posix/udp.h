/* The device's UDP socket. */
#ifndef EDG_POSIX_UDP_H
#define EDG_POSIX_UDP_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/types.h>

typedef struct udp_peer {
    struct sockaddr_storage addr;
    socklen_t len;
} udp_peer;

/* Listens on "HOST:PORT" (numeric host, "[v6]:PORT"; port 0 lets the kernel choose); the socket, or -1 with *why. */
int udp_listen(const char *where, const char **why);
/* The address it listens on, as text that udp_listen reads. */
int udp_name(int fd, char *text, size_t size);
/* A datagram; its length, which may be more than cap (then cut); -1: none. */
ssize_t udp_receive(int fd, void *buf, size_t cap, udp_peer *from);
void udp_send(int fd, const void *buf, size_t n, const udp_peer *to);
/* 1 if the peer is this machine or shares a network with it. */
int udp_is_near(const udp_peer *peer);

#endif
