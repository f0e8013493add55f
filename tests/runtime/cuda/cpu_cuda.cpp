// A stand-in for libcuda.so.1 on machines without a GPU: memory is the CPU's, and the kernels of kernels.cu run as C++.
//
// Written from cuda.h, not recorded. Like the driver it does nothing before somebody waits: work queues up in streams and
// runs in cuStreamSynchronize or cuCtxSynchronize; copies from memory that is not page-locked are taken at once. Stricter
// than the driver, it refuses addresses that are not its own and handles that were given back, and work whose memory was
// given back before it ran. Threads run last to first: nothing may depend on their order.

#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#define __device__
#define __global__
#define __align__(bytes) __attribute__((aligned(bytes)))
struct Index { unsigned x, y, z; };
static Index blockIdx, threadIdx, blockDim;
static inline float __fmul_rn(float a, float b) { return a * b; }
static inline float __fsub_rn(float a, float b) { return a - b; }
static inline float __fadd_rn(float a, float b) { return a + b; }
static inline int atomicAdd(int* at, int value) { int before = *at; *at += value; return before; }
static inline unsigned short half_from_float(float value) {
    _Float16 half = (_Float16)value;
    unsigned short bits;
    memcpy(&bits, &half, 2);
    return bits;
}
static inline float float_from_half(unsigned short bits) {
    _Float16 half;
    memcpy(&half, &bits, 2);
    return (float)half;
}
#include KERNELS

typedef std::vector<std::function<void()>> Work;
enum { INVALID = 1, NO_MEMORY = 2, NOT_FOUND = 500, ILLEGAL_ADDRESS = 700, ALREADY_LOCKED = 712, CAPTURE_FAILED = 901 };

static std::map<uintptr_t, size_t> device_memory, host_memory, locked_memory;
static std::map<uintptr_t, Work> streams;   // what waits to be done
static std::map<uintptr_t, Work> graphs, executables;
static std::set<uintptr_t> events, recorded_events, modules;
static std::map<std::string, int> failures;
static uintptr_t next_handle = 0x1000, capturing = 0, context = 0xC0DE;
static long long copied_bytes = 0;
static int integrated = 0, fault = 0;

static bool inside(const std::map<uintptr_t, size_t>& memory, uintptr_t at, size_t bytes) {
    auto found = memory.upper_bound(at);
    if (found == memory.begin()) return false;
    --found;
    return at + bytes <= found->first + found->second;
}
static bool is_pinned(const void* at, size_t bytes) {
    return inside(host_memory, (uintptr_t)at, bytes) || inside(locked_memory, (uintptr_t)at, bytes);
}
static int planned(const char* name) {
    auto found = failures.find(name);
    if (found == failures.end()) return 0;
    int code = found->second;
    failures.erase(found);
    return code;
}
static int add(uintptr_t stream, std::function<void()> work) {
    if (!streams.count(stream)) return INVALID;
    if (capturing == stream) graphs[capturing].push_back(work);
    else streams[stream].push_back(work);
    return 0;
}
static void drain(uintptr_t stream) {
    Work work;
    work.swap(streams[stream]);
    for (auto& step : work) step();
}
static void move(uintptr_t to, const void* from, size_t bytes, bool from_host) {
    if (inside(device_memory, from_host ? to : (uintptr_t)from, bytes)) memcpy((void*)to, from, bytes);
    else fault = ILLEGAL_ADDRESS;
}
static int copy(uintptr_t to, const void* from, size_t bytes, uintptr_t stream, bool from_host) {
    copied_bytes += bytes;
    if (from_host && !is_pinned(from, bytes)) {
        auto taken = std::make_shared<std::vector<char>>((const char*)from, (const char*)from + bytes);
        return add(stream, [=] { move(to, taken->data(), bytes, true); });
    }
    return add(stream, [=] { move(to, from, bytes, from_host); });
}
template <typename Job>
static std::function<void()> every_thread(void (*kernel)(const Job), const void* argument, Index grid, Index block) {
    Job job;
    memcpy(&job, argument, sizeof job);
    return [=] {
        blockDim = block;
        for (unsigned by = grid.y; by-- > 0;) for (unsigned bx = grid.x; bx-- > 0;)
            for (unsigned ty = block.y; ty-- > 0;) for (unsigned tx = block.x; tx-- > 0;) {
                blockIdx = {bx, by, 0};
                threadIdx = {tx, ty, 0};
                kernel(job);
            }
    };
}
#define PLANNED(name) if (int code = planned(name)) return code

extern "C" {
// For tests: what is alive, what is to fail next, what was copied.
int stand_in_alive() {
    return device_memory.size() + host_memory.size() + locked_memory.size() + streams.size() + graphs.size() +
           executables.size() + events.size() + modules.size();
}
void stand_in_reset() {
    for (auto* memory : {&device_memory, &host_memory, &locked_memory}) memory->clear();
    streams.clear(), graphs.clear(), executables.clear(), events.clear(), modules.clear(), failures.clear();
    recorded_events.clear();
    capturing = 0, copied_bytes = 0, integrated = 0, fault = 0;
}
void stand_in_fail(const char* name, int code) { failures[name] = code; }
void stand_in_integrated(int value) { integrated = value; }
long long stand_in_copied_bytes() { return copied_bytes; }
int stand_in_letterbox_bytes() { return sizeof(Letterbox); }
int stand_in_decode_bytes() { return sizeof(Decode); }
int stand_in_compare_bytes() { return sizeof(Compare); }
int stand_in_candidate_bytes() { return sizeof(Candidate); }

int cuInit(unsigned) { PLANNED("cuInit"); return 0; }
int cuDriverGetVersion(int* version) { *version = 11040; return 0; }
int cuGetErrorString(int code, const char** text) {
    *text = code == NO_MEMORY ? "out of memory" : code == INVALID ? "invalid argument" : "stand-in error";
    return 0;
}
int cuDeviceGetCount(int* count) { *count = 1; return 0; }
int cuDeviceGet(int* device, int index) { *device = index; return 0; }
int cuDeviceGetName(char* name, int size, int) { strncpy(name, "stand-in GPU", size); return 0; }
int cuDeviceGetAttribute(int* value, int number, int) {
    static const std::map<int, int> known = {{19, 1}, {75, 8}, {76, 7}, {99, 1}};
    *value = number == 18 ? integrated : known.at(number);
    return 0;
}
int cuDeviceTotalMem_v2(size_t* bytes, int) { *bytes = (size_t)7620 << 20; return 0; }
int cuCtxSetCurrent(uintptr_t handle) { context = handle; return 0; }
int cuCtxGetCurrent(uintptr_t* handle) { *handle = context; return 0; }
int cuCtxSynchronize() {
    for (auto& stream : streams) drain(stream.first);
    return fault;
}
int cuMemGetInfo_v2(size_t* free, size_t* total) { *free = 1 << 30; *total = (size_t)2 << 30; return 0; }

int cuStreamCreate(uintptr_t* stream, unsigned) { streams[*stream = next_handle++]; return 0; }
int cuStreamDestroy_v2(uintptr_t stream) { return streams.erase(stream) ? 0 : INVALID; }
int cuStreamSynchronize(uintptr_t stream) {
    if (!streams.count(stream) || capturing == stream) return INVALID;
    drain(stream);
    return fault;
}
int cuStreamWaitEvent(uintptr_t stream, uintptr_t event, unsigned) { return streams.count(stream) && events.count(event) ? 0 : INVALID; }
int cuEventCreate(uintptr_t* event, unsigned) { events.insert(*event = next_handle++); return 0; }
int cuEventDestroy_v2(uintptr_t event) {
    recorded_events.erase(event);
    return events.erase(event) ? 0 : INVALID;
}
int cuEventRecord(uintptr_t event, uintptr_t stream) {
    if (!streams.count(stream) || !events.count(event)) return INVALID;
    recorded_events.insert(event);
    return 0;
}
int cuEventSynchronize(uintptr_t event) {
    if (!events.count(event)) return INVALID;
    return recorded_events.count(event) ? cuCtxSynchronize() : 0;
}
int cuEventQuery(uintptr_t event) { PLANNED("cuEventQuery"); return events.count(event) ? 0 : INVALID; }
int cuEventElapsedTime(float* ms, uintptr_t, uintptr_t) { *ms = 0.5f; return 0; }

int cuMemAlloc_v2(unsigned long long* at, size_t bytes) {
    PLANNED("cuMemAlloc_v2");
    if (!bytes) return INVALID;
    *at = (uintptr_t)aligned_alloc(256, (bytes + 255) / 256 * 256);
    memset((void*)*at, 0xA5, bytes);
    device_memory[*at] = bytes;
    return 0;
}
int cuMemFree_v2(unsigned long long at) {
    if (!device_memory.erase(at)) return INVALID;
    free((void*)at);
    return 0;
}
int cuMemHostAlloc(uintptr_t* at, size_t bytes, unsigned) {
    PLANNED("cuMemHostAlloc");
    if (!bytes) return INVALID;
    *at = (uintptr_t)malloc(bytes);
    host_memory[*at] = bytes;
    return 0;
}
int cuMemFreeHost(uintptr_t at) {
    if (!host_memory.erase(at)) return INVALID;
    free((void*)at);
    return 0;
}
int cuMemHostGetDevicePointer_v2(unsigned long long* to, uintptr_t at, unsigned) {
    PLANNED("cuMemHostGetDevicePointer_v2");
    *to = at;
    return is_pinned((void*)at, 1) ? 0 : INVALID;
}
int cuMemHostRegister_v2(uintptr_t at, size_t bytes, unsigned) {
    PLANNED("cuMemHostRegister_v2");
    for (auto& locked : locked_memory)
        if (at < locked.first + locked.second && locked.first < at + bytes) return ALREADY_LOCKED;
    locked_memory[at] = bytes;
    return 0;
}
int cuMemHostUnregister(uintptr_t at) { return locked_memory.erase(at) ? 0 : INVALID; }

int cuMemcpyHtoDAsync_v2(unsigned long long to, const void* from, size_t bytes, uintptr_t stream) {
    return inside(device_memory, to, bytes) ? copy(to, from, bytes, stream, true) : INVALID;
}
int cuMemcpyDtoHAsync_v2(void* to, unsigned long long from, size_t bytes, uintptr_t stream) {
    return inside(device_memory, from, bytes) ? copy((uintptr_t)to, (void*)from, bytes, stream, false) : INVALID;
}
int cuMemcpyDtoDAsync_v2(unsigned long long to, unsigned long long from, size_t bytes, uintptr_t stream) {
    if (!inside(device_memory, to, bytes) || !inside(device_memory, from, bytes)) return INVALID;
    return copy(to, (void*)from, bytes, stream, false);
}
struct Copy2D {
    size_t src_x, src_y;
    int src_kind;
    const char* src_host;
    unsigned long long src_device;
    void* src_array;
    size_t src_pitch, dst_x, dst_y;
    int dst_kind;
    void* dst_host;
    unsigned long long dst_device;
    void* dst_array;
    size_t dst_pitch, width, height;
};
int cuMemcpy2DAsync_v2(const Copy2D* job, uintptr_t stream) {
    if (job->src_kind != 1 || job->dst_kind != 2 || job->width > job->src_pitch || job->width > job->dst_pitch) return INVALID;
    if (!inside(device_memory, job->dst_device, (job->height - 1) * job->dst_pitch + job->width)) return INVALID;
    for (size_t row = 0; row < job->height; row++) {
        const char* from = job->src_host + row * job->src_pitch;
        if (int code = copy(job->dst_device + row * job->dst_pitch, from, job->width, stream, true)) return code;
    }
    return 0;
}
int cuMemsetD32Async(unsigned long long at, unsigned word, size_t count, uintptr_t stream) {
    if (!inside(device_memory, at, 4 * count)) return INVALID;
    return add(stream, [=] { for (size_t i = 0; i < count; i++) ((unsigned*)at)[i] = word; });
}

int cuModuleLoadData(uintptr_t* module, const void*) { PLANNED("cuModuleLoadData"); modules.insert(*module = next_handle++); return 0; }
int cuModuleUnload(uintptr_t module) { return modules.erase(module) ? 0 : INVALID; }
int cuModuleGetFunction(uintptr_t* function, uintptr_t module, const char* name) {
    static const std::map<std::string, int> known = {
        {"letterbox_float32", 1}, {"letterbox_float16", 2}, {"decode_float32", 3}, {"decode_float16", 4},
        {"rank_candidates", 5}, {"compare_candidates", 6}};
    PLANNED("cuModuleGetFunction");
    if (!modules.count(module)) return INVALID;
    if (!known.count(name)) return NOT_FOUND;
    *function = known.at(name);
    return 0;
}
int cuLaunchKernel(uintptr_t function, unsigned gx, unsigned gy, unsigned gz, unsigned bx, unsigned by, unsigned bz, unsigned,
                   uintptr_t stream, void** arguments, void** extra) {
    if (gz != 1 || bz != 1 || !gx || !gy || bx * by > 1024 || extra) return INVALID;
    Index grid = {gx, gy, gz}, block = {bx, by, bz};
    switch (function) {
        case 1: return add(stream, every_thread<Letterbox>(letterbox_float32, arguments[0], grid, block));
        case 2: return add(stream, every_thread<Letterbox>(letterbox_float16, arguments[0], grid, block));
        case 3: return add(stream, every_thread<Decode>(decode_float32, arguments[0], grid, block));
        case 4: return add(stream, every_thread<Decode>(decode_float16, arguments[0], grid, block));
        case 5: return add(stream, every_thread<Compare>(rank_candidates, arguments[0], grid, block));
        case 6: return add(stream, every_thread<Compare>(compare_candidates, arguments[0], grid, block));
    }
    return INVALID;
}

int cuStreamBeginCapture_v2(uintptr_t stream, int) {
    if (capturing || !streams.count(stream)) return INVALID;
    graphs[capturing = stream];
    return 0;
}
int cuStreamEndCapture(uintptr_t stream, uintptr_t* graph) {
    if (capturing != stream) return INVALID;
    Work work;
    work.swap(graphs[stream]);
    graphs.erase(stream);
    capturing = 0;
    *graph = 0;
    PLANNED("cuStreamEndCapture");
    graphs[*graph = next_handle++] = work;
    return 0;
}
int cuGraphInstantiateWithFlags(uintptr_t* executable, uintptr_t graph, unsigned long long) {
    if (!graphs.count(graph)) return INVALID;
    PLANNED("cuGraphInstantiateWithFlags");
    executables[*executable = next_handle++] = graphs[graph];
    return 0;
}
int cuGraphLaunch(uintptr_t executable, uintptr_t stream) {
    if (!executables.count(executable)) return INVALID;
    Work work = executables[executable];
    return add(stream, [=] { for (auto& step : work) step(); });
}
int cuGraphExecDestroy(uintptr_t executable) { return executables.erase(executable) ? 0 : INVALID; }
int cuGraphDestroy(uintptr_t graph) { return graphs.erase(graph) ? 0 : INVALID; }
}
