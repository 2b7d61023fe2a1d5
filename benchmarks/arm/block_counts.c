/* QEMU plugin: how often every translated block of a guest program ran.
 *
 *     qemu-aarch64 -plugin block_counts.so,out=FILE[,region=on][,atomic=on][,l1=KIB:WAYS,l2=...,l3=...] PROGRAM
 *
 * region=on   count only between the guest's close(-1001) and close(-1002); the kernel answers EBADF.
 * atomic=on   exact counts for a guest with threads; slower.
 * l1=, l2=, l3= simulate write-back data caches with 64-byte lines, least-recently-used replacement and no
 *             prefetcher; slower.
 *
 * FILE.<pid> receives one record a line:
 *     B address instructions count code      a block; address and code in hexadecimal
 *     M ...                                  a line of /proc/self/maps
 *     C level fills writebacks               lines that a cache beyond L1 fetched and wrote back, if simulated
 *
 * The functions of QEMU's plugin interface, version 1, are declared here, so that no QEMU header is
 * needed (docs/devel/tcg-plugins in QEMU's own documentation). Only the dynamically linked qemu-user
 * loads plugins.
 */
#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

enum { REGION_START = -1001, REGION_END = -1002, SYSCALL_CLOSE_AARCH64 = 57 };
enum { BUCKETS = 1 << 16, MAX_BLOCK_BYTES = 8192, LINE_SHIFT = 6, LINES_PER_KIB = 16, LEVELS = 3 };

/* --- QEMU's plugin interface --- */

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct plugin_info;
enum { NO_REGISTERS = 0, INLINE_ADD = 0, READ_AND_WRITE = 3 };

typedef void (*translate_callback)(plugin_id, struct qemu_plugin_tb *);
typedef void (*execute_callback)(unsigned cpu, void *data);
typedef void (*memory_callback)(unsigned cpu, uint32_t info, uint64_t address, void *data);
typedef void (*exit_callback)(plugin_id, void *data);
typedef void (*syscall_callback)(plugin_id, unsigned cpu, int64_t number, uint64_t, uint64_t, uint64_t,
                                 uint64_t, uint64_t, uint64_t, uint64_t, uint64_t);

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, translate_callback);
void qemu_plugin_register_vcpu_tb_exec_cb(struct qemu_plugin_tb *, execute_callback, int, void *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_mem_cb(struct qemu_plugin_insn *, memory_callback, int, int, void *);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, syscall_callback);
void qemu_plugin_register_atexit_cb(plugin_id, exit_callback, void *);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
uint64_t qemu_plugin_tb_vaddr(const struct qemu_plugin_tb *);
struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
const void *qemu_plugin_insn_data(const struct qemu_plugin_insn *);
size_t qemu_plugin_insn_size(const struct qemu_plugin_insn *);
bool qemu_plugin_mem_is_store(uint32_t);

EXPORT int qemu_plugin_version = 1;
EXPORT int qemu_plugin_install(plugin_id, const struct plugin_info *, int, char **);

/* --- settings --- */

static char out_path[4096] = "block_counts";
static bool atomic_counts, region_only, inside_region;

/* --- data caches --- */

struct cache {
    unsigned sets, ways;
    uint64_t *lines; /* most recently used first: (line + 1) * 2 + dirty; 0 is empty */
    uint64_t fills, writebacks;
};
static struct cache levels[LEVELS]; /* L1 first; those without sets are absent */

static bool cache_init(struct cache *cache, unsigned kib, unsigned ways)
{
    if (!kib || !ways || kib * LINES_PER_KIB < ways)
        return false;
    cache->ways = ways;
    cache->sets = kib * LINES_PER_KIB / ways;
    cache->lines = calloc((size_t)cache->sets * ways, sizeof *cache->lines);
    return cache->lines != NULL;
}

static void cache_access(struct cache *cache, uint64_t line, bool write)
{
    struct cache *next = cache + 1;
    uint64_t *set = cache->lines + (line % cache->sets) * cache->ways, entry = (line + 1) * 2;
    unsigned way = 0;
    while (way < cache->ways && set[way] / 2 != line + 1)
        way++;
    if (way < cache->ways) {
        entry = set[way];
    } else {
        uint64_t victim = set[--way];
        cache->fills++;
        cache->writebacks += victim % 2;
        if (next < levels + LEVELS && next->sets) {
            if (victim % 2)
                cache_access(next, victim / 2 - 1, true);
            cache_access(next, line, false);
        }
    }
    memmove(set + 1, set, way * sizeof *set);
    set[0] = entry | write;
}

static void on_memory(unsigned cpu, uint32_t info, uint64_t address, void *data)
{
    (void)cpu;
    (void)data;
    if (inside_region || !region_only)
        cache_access(levels, address >> LINE_SHIFT, qemu_plugin_mem_is_store(info));
}

/* --- blocks: a hash table that only grows; the same code translated again finds its counter --- */

struct block {
    uint64_t address;
    uint64_t count;
    uint64_t count_at_region_start, count_in_region;
    uint32_t instructions, bytes;
    struct block *next;
    unsigned char code[];
};
static struct block *buckets[BUCKETS];
static pthread_mutex_t blocks_lock = PTHREAD_MUTEX_INITIALIZER;

static void on_execute(unsigned cpu, void *counter)
{
    (void)cpu;
    __atomic_fetch_add((uint64_t *)counter, 1, __ATOMIC_RELAXED);
}

static struct block *find_or_add(uint64_t address, uint32_t instructions, const unsigned char *code,
                                 uint32_t bytes)
{
    uint64_t hash = 14695981039346656037u ^ address; /* FNV-1a */
    for (uint32_t i = 0; i < bytes; i++)
        hash = (hash ^ code[i]) * 1099511628211u;
    struct block **bucket = &buckets[hash % BUCKETS];

    pthread_mutex_lock(&blocks_lock);
    struct block *block = *bucket;
    while (block && !(block->address == address && block->bytes == bytes && !memcmp(block->code, code, bytes)))
        block = block->next;
    if (!block) {
        block = calloc(1, sizeof *block + bytes);
        if (!block)
            abort();
        block->address = address;
        block->instructions = instructions;
        block->bytes = bytes;
        memcpy(block->code, code, bytes);
        block->next = *bucket;
        *bucket = block;
    }
    pthread_mutex_unlock(&blocks_lock);
    return block;
}

static void on_translate(plugin_id id, struct qemu_plugin_tb *translation)
{
    (void)id;
    unsigned char code[MAX_BLOCK_BYTES];
    uint32_t bytes = 0;
    size_t instructions = qemu_plugin_tb_n_insns(translation);
    for (size_t i = 0; i < instructions; i++) {
        struct qemu_plugin_insn *instruction = qemu_plugin_tb_get_insn(translation, i);
        size_t size = qemu_plugin_insn_size(instruction);
        if (bytes + size <= sizeof code) {
            memcpy(code + bytes, qemu_plugin_insn_data(instruction), size);
            bytes += (uint32_t)size;
        }
        if (levels[0].sets)
            qemu_plugin_register_vcpu_mem_cb(instruction, on_memory, NO_REGISTERS, READ_AND_WRITE, NULL);
    }
    struct block *block =
        find_or_add(qemu_plugin_tb_vaddr(translation), (uint32_t)instructions, code, bytes);
    if (atomic_counts)
        qemu_plugin_register_vcpu_tb_exec_cb(translation, on_execute, NO_REGISTERS, &block->count);
    else
        qemu_plugin_register_vcpu_tb_exec_inline(translation, INLINE_ADD, &block->count, 1);
}

/* --- the region of interest --- */

static void switch_region(bool enter)
{
    pthread_mutex_lock(&blocks_lock);
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct block *block = buckets[i]; block; block = block->next) {
            if (!enter)
                block->count_in_region += block->count - block->count_at_region_start;
            block->count_at_region_start = block->count;
        }
    inside_region = enter;
    pthread_mutex_unlock(&blocks_lock);
}

static void on_syscall(plugin_id id, unsigned cpu, int64_t number, uint64_t first, uint64_t a2, uint64_t a3,
                       uint64_t a4, uint64_t a5, uint64_t a6, uint64_t a7, uint64_t a8)
{
    (void)id, (void)cpu, (void)a2, (void)a3, (void)a4, (void)a5, (void)a6, (void)a7, (void)a8;
    if (number != SYSCALL_CLOSE_AARCH64)
        return;
    if ((int32_t)first == REGION_START && !inside_region)
        switch_region(true);
    else if ((int32_t)first == REGION_END && inside_region)
        switch_region(false);
}

/* --- the record --- */

static void write_record(plugin_id id, void *data)
{
    (void)id, (void)data;
    if (inside_region)
        switch_region(false);
    char path[sizeof out_path + 32], line[8192];
    snprintf(path, sizeof path, "%s.%d", out_path, (int)getpid());
    FILE *record = fopen(path, "w");
    if (!record) {
        perror(path);
        return;
    }
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct block *block = buckets[i]; block; block = block->next) {
            uint64_t count = region_only ? block->count_in_region : block->count;
            if (!count)
                continue;
            fprintf(record, "B %" PRIx64 " %" PRIu32 " %" PRIu64 " ", block->address, block->instructions, count);
            for (uint32_t j = 0; j < block->bytes; j++)
                fprintf(record, "%02x", block->code[j]);
            fputc('\n', record);
        }
    for (unsigned i = 1; i < LEVELS && levels[i].sets; i++)
        fprintf(record, "C %u %" PRIu64 " %" PRIu64 "\n", i + 1, levels[i].fills, levels[i].writebacks);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof line, maps))
        fprintf(record, "M %s", line);
    if (maps)
        fclose(maps);
    fclose(record);
}

int qemu_plugin_install(plugin_id id, const struct plugin_info *info, int count, char **options)
{
    (void)info;
    for (int i = 0; i < count; i++) {
        unsigned level, kib, ways;
        bool good = true;
        if (!strncmp(options[i], "out=", 4))
            snprintf(out_path, sizeof out_path, "%s", options[i] + 4);
        else if (!strcmp(options[i], "region=on"))
            region_only = true;
        else if (!strcmp(options[i], "atomic=on"))
            atomic_counts = true;
        else if (sscanf(options[i], "l%u=%u:%u", &level, &kib, &ways) == 3 && level - 1 < LEVELS)
            good = cache_init(&levels[level - 1], kib, ways);
        else
            good = false;
        if (!good) {
            fprintf(stderr, "block_counts: cannot use the option %s\n", options[i]);
            return -1;
        }
    }
    if (!levels[0].sets != !levels[1].sets || (levels[2].sets && !levels[1].sets)) {
        fprintf(stderr, "block_counts: l1 and l2 go together, l3 with both\n");
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translate);
    if (region_only)
        qemu_plugin_register_vcpu_syscall_cb(id, on_syscall);
    qemu_plugin_register_atexit_cb(id, write_record, NULL);
    return 0;
}
