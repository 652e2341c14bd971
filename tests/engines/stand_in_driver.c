/* Stands in for NVIDIA's driver where there is none: device memory is the host's, a stream does at
   once what it is told, or records it while it is captured. One "kernel", to be put on a stream by
   run_encoder(): embedding[n][d] = sum over leads of lead_mask[n][l] * windows[n][l][d]. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

typedef struct { void *target; const void *source; size_t bytes; } Step;
typedef struct { int capturing, n, queries; Step steps[16]; } Steps;
typedef struct { const float *windows, *lead_mask; float *embedding; long rows, leads, samples, size; } Kernel;

static int alive;
static int context;

static void *take(size_t bytes) { alive++; return memset(malloc(bytes), 0x7f, bytes); }
static int give(void *memory) { alive--; free(memory); return 0; }

static void step(const Step *one) {
    if (one->bytes) { memcpy(one->target, one->source, one->bytes); return; }
    const Kernel *k = one->source;
    for (long n = 0; n < k->rows; n++)
        for (long d = 0; d < k->size; d++) {
            float sum = 0;
            for (long l = 0; l < k->leads; l++)
                sum += k->lead_mask[n * k->leads + l] * k->windows[(n * k->leads + l) * k->samples + d];
            k->embedding[n * k->size + d] = sum;
        }
}

static int put(Steps *stream, Step one) {
    if (stream->capturing) stream->steps[stream->n++] = one; else step(&one);
    return 0;
}

int live_handles(void) { return alive; }
int run_encoder(void *stream, const Kernel *kernel) { return put(stream, (Step){0, kernel, 0}); }

int cuInit(unsigned flags) { return flags != 0; }
int cuDriverGetVersion(int *version) { *version = 13020; return 0; }
int cuDeviceGetCount(int *count) { *count = getenv("NO_DEVICE") ? 0 : 1; return 0; }
int cuDeviceGet(int *device, int ordinal) { *device = ordinal; return 0; }
int cuDeviceGetName(char *name, int length, int device) { strncpy(name, "Stand-in", length); return device; }
int cuDeviceGetAttribute(int *value, int attribute, int device) { *value = attribute == 75 ? 8 : attribute == 76 ? 7 : -1; return device; }
int cuDevicePrimaryCtxRetain(void **made, int device) { *made = &context; return device; }
int cuCtxSetCurrent(void *used) { return used != &context; }
int cuMemAlloc_v2(uint64_t *address, size_t bytes) { if (bytes > 1u << 30) return 2; *address = (uint64_t)take(bytes); return 0; }
int cuMemFree_v2(uint64_t address) { return give((void *)address); }
int cuMemHostAlloc(void **memory, size_t bytes, unsigned flags) { *memory = take(bytes); return flags; }
int cuMemFreeHost(void *memory) { return give(memory); }
int cuStreamCreate(void **stream, unsigned flags) { *stream = memset(take(sizeof(Steps)), 0, sizeof(Steps)); return flags != 1; }
int cuStreamDestroy_v2(void *stream) { return give(stream); }
int cuStreamQuery(Steps *stream) { return stream->queries++ % 2 ? 0 : 600; }
int cuStreamSynchronize(Steps *stream) { return stream->capturing ? 900 : 0; }
int cuMemcpyHtoDAsync_v2(uint64_t target, const void *source, size_t bytes, void *stream) { return put(stream, (Step){(void *)target, source, bytes}); }
int cuMemcpyDtoHAsync_v2(void *target, uint64_t source, size_t bytes, void *stream) { return put(stream, (Step){target, (void *)source, bytes}); }
int cuStreamBeginCapture_v2(Steps *stream, int mode) { stream->capturing = 1; return mode != 1; }
int cuStreamEndCapture(Steps *stream, void **graph) { *graph = memcpy(take(sizeof(Steps)), stream, sizeof(Steps)); stream->capturing = stream->n = 0; return 0; }
int cuGraphInstantiateWithFlags(void **ready, const void *graph, uint64_t flags) { *ready = memcpy(take(sizeof(Steps)), graph, sizeof(Steps)); return flags != 0; }
int cuGraphLaunch(const Steps *graph, void *stream) { (void)stream; for (int i = 0; i < graph->n; i++) step(&graph->steps[i]); return 0; }
int cuGraphDestroy(void *graph) { return give(graph); }
int cuGraphExecDestroy(void *graph) { return give(graph); }
int cuGetErrorString(int error, const char **text) { *text = error == 2 ? "out of memory" : "unknown error"; return 0; }
