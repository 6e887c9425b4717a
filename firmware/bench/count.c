/*
 * A plugin of QEMU that counts the guest's instructions between marks.
 *
 *     qemu-system-... -plugin count.so,out=FILE,NAME=ADDRESS,...,end=ADDRESS
 *
 * A mark is a function of the guest, known by its address. Reaching one ends the span before it; reaching any but `end` begins the span of its
 * name. `verdict` does neither, it divides a span. When the machine stops, FILE has a line a span: its name, the instructions of its shortest run, the
 * number of its runs, and the least instructions up to a verdict, 0 if none came.
 *
 * Debian ships QEMU with plugins but without their header, so what is used of the interface (version 1, QEMU 4.2 and later) is declared here.
 */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;
typedef uint64_t qemu_plugin_id_t;
enum qemu_plugin_op { QEMU_PLUGIN_INLINE_ADD_U64 };
enum qemu_plugin_cb_flags { QEMU_PLUGIN_CB_NO_REGS };

void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t id, struct qemu_plugin_tb *tb));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *tb);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *tb, size_t idx);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *insn);
void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *insn, void (*cb)(unsigned int vcpu, void *userdata),
                                            enum qemu_plugin_cb_flags flags, void *userdata);
void qemu_plugin_register_vcpu_insn_exec_inline(struct qemu_plugin_insn *insn, enum qemu_plugin_op op, void *ptr, uint64_t imm);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*cb)(qemu_plugin_id_t id, void *userdata), void *userdata);

#define EXPORT __attribute__((visibility("default")))
EXPORT extern int qemu_plugin_version;
EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv);

enum { MARKS = 32 };

struct mark {
    char name[48];
    uint64_t address;
    uint64_t shortest;
    uint64_t runs;
    uint64_t verdict; /* least, 0: none */
};

static struct mark marks[MARKS];
static size_t mark_count;
static char out[4096];
static uint64_t executed, since;
static struct mark *under_way;

static void on_mark(unsigned int vcpu, void *userdata)
{
    struct mark *m = userdata;

    uint64_t n = executed - since;

    (void)vcpu;
    if (strcmp(m->name, "verdict") == 0) {
        if (under_way != NULL && (under_way->verdict == 0 || n < under_way->verdict)) {
            under_way->verdict = n;
        }
        return;
    }
    if (under_way != NULL) {
        if (under_way->runs++ == 0 || n < under_way->shortest) {
            under_way->shortest = n;
        }
    }
    under_way = strcmp(m->name, "end") == 0 ? NULL : m;
    since = executed;
}

/* Every instruction counts by itself: a block that is left early counts no more than what ran. */
static void on_translate(qemu_plugin_id_t id, struct qemu_plugin_tb *tb)
{
    (void)id;
    for (size_t i = 0, n = qemu_plugin_tb_n_insns(tb); i < n; i++) {
        struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(tb, i);
        uint64_t address = qemu_plugin_insn_vaddr(insn);

        qemu_plugin_register_vcpu_insn_exec_inline(insn, QEMU_PLUGIN_INLINE_ADD_U64, &executed, 1);
        for (size_t k = 0; k < mark_count; k++) {
            if (marks[k].address == address) {
                qemu_plugin_register_vcpu_insn_exec_cb(insn, on_mark, QEMU_PLUGIN_CB_NO_REGS, &marks[k]);
            }
        }
    }
}

static void on_exit_of_machine(qemu_plugin_id_t id, void *userdata)
{
    FILE *f = fopen(out, "w");

    (void)id;
    (void)userdata;
    if (f == NULL) {
        perror(out);
        return;
    }
    for (size_t i = 0; i < mark_count; i++) {
        if (marks[i].runs > 0) {
            fprintf(f, "%s %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", marks[i].name, marks[i].shortest, marks[i].runs, marks[i].verdict);
        }
    }
    fclose(f);
}

int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
    (void)info;
    for (int i = 0; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value == NULL) {
            fprintf(stderr, "count: %s is not NAME=VALUE\n", argv[i]);
            return -1;
        }
        *value++ = 0;
        if (strcmp(argv[i], "out") == 0) {
            snprintf(out, sizeof out, "%s", value);
            continue;
        }
        if (mark_count == MARKS || strlen(argv[i]) >= sizeof marks[0].name) {
            fprintf(stderr, "count: too many marks, or a long name: %s\n", argv[i]);
            return -1;
        }
        snprintf(marks[mark_count].name, sizeof marks[0].name, "%s", argv[i]);
        marks[mark_count++].address = strtoull(value, NULL, 0);
    }
    if (out[0] == 0) {
        fputs("count: out=FILE is missing\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    qemu_plugin_register_atexit_cb(id, on_exit_of_machine, NULL);
    return 0;
}
