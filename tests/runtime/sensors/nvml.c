/* A library that exports what edgekit asks of NVML, with the signatures of nvml.h, and answers what a test sets.
 * -DWITHOUT_x leaves functions out, as older and newer drivers do. */
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef int nvmlReturn_t;
typedef struct device *nvmlDevice_t;
typedef struct { unsigned int gpu, memory; } nvmlUtilization_t;
typedef struct { unsigned int pid; unsigned long long usedGpuMemory; unsigned int gpuInstanceId, computeInstanceId; } nvmlProcessInfo_t;

enum { SUCCESS = 0, UNINITIALIZED = 1, INVALID_ARGUMENT = 2, NOT_SUPPORTED = 3, NO_PERMISSION = 4, INSUFFICIENT_SIZE = 7, GPU_IS_LOST = 15 };
struct device { const char *name, *uuid; };
static struct device devices[] = { { "NVIDIA Test 1", "GPU-1111" }, { "NVIDIA Test 2", "GPU-2222" } };

/* What a test sets. */
unsigned int fake_devices = 1, fake_hidden = 99, fake_power_mw = 61500, fake_processes = 1, fake_pid;
unsigned long long fake_energy_mj = 5000000, fake_used = 300ull << 20, fake_reasons = 0x44;
int fake_error, fake_init_error, fake_open;
volatile int fake_hang;
nvmlDevice_t fake_asked;

nvmlReturn_t nvmlInit_v2(void) { if (fake_init_error) return fake_init_error; fake_open++; return SUCCESS; }
nvmlReturn_t nvmlShutdown(void) { if (!fake_open) return UNINITIALIZED; fake_open--; return SUCCESS; }
const char *nvmlErrorString(nvmlReturn_t code) { return code == 9 ? "Driver Not Loaded" : "Some Error"; }

static nvmlReturn_t ask(nvmlDevice_t device) {
    if (!fake_open) return UNINITIALIZED;
    if (device != &devices[0] && device != &devices[1]) return INVALID_ARGUMENT;
    fake_asked = device;
    return fake_error;
}

nvmlReturn_t nvmlDeviceGetCount_v2(unsigned int *count) { *count = fake_devices; return fake_open ? SUCCESS : UNINITIALIZED; }
nvmlReturn_t nvmlDeviceGetHandleByIndex_v2(unsigned int index, nvmlDevice_t *device) {
    if (index >= fake_devices) return INVALID_ARGUMENT;
    if (index == fake_hidden) return NO_PERMISSION;
    *device = &devices[index];
    return SUCCESS;
}
static nvmlReturn_t put(const char *text, char *out, unsigned int length) {
    if (strlen(text) + 1 > length) return INSUFFICIENT_SIZE;
    strcpy(out, text);
    return SUCCESS;
}
nvmlReturn_t nvmlDeviceGetName(nvmlDevice_t device, char *name, unsigned int length) { return put(device->name, name, length); }
nvmlReturn_t nvmlDeviceGetUUID(nvmlDevice_t device, char *uuid, unsigned int length) { return put(device->uuid, uuid, length); }

nvmlReturn_t nvmlDeviceGetPowerUsage(nvmlDevice_t device, unsigned int *mw) {
    nvmlReturn_t code = ask(device);
    while (fake_hang) usleep(10000);
    if (!code) *mw = fake_power_mw;
    return code;
}
#ifndef WITHOUT_ENERGY
nvmlReturn_t nvmlDeviceGetTotalEnergyConsumption(nvmlDevice_t device, unsigned long long *mj) {
    nvmlReturn_t code = ask(device);
    if (!code) *mj = fake_energy_mj;
    return code;
}
#endif
nvmlReturn_t nvmlDeviceGetUtilizationRates(nvmlDevice_t device, nvmlUtilization_t *rates) {
    nvmlReturn_t code = ask(device);
    if (!code) *rates = (nvmlUtilization_t){ 87, 12 };
    return code;
}
nvmlReturn_t nvmlDeviceGetClockInfo(nvmlDevice_t device, int type, unsigned int *mhz) {
    nvmlReturn_t code = ask(device);
    if (!code) *mhz = type == 0 ? 1980 : 3201;
    return code;
}
nvmlReturn_t nvmlDeviceGetTemperature(nvmlDevice_t device, int sensor, unsigned int *degrees) {
    nvmlReturn_t code = ask(device);
    if (!code) *degrees = sensor == 0 ? 64 : 0;
    return code;
}
static nvmlReturn_t reasons(nvmlDevice_t device, unsigned long long *bits) {
    nvmlReturn_t code = ask(device);
    if (!code) *bits = fake_reasons;
    return code;
}
#ifndef WITHOUT_EVENT_REASONS
nvmlReturn_t nvmlDeviceGetCurrentClocksEventReasons(nvmlDevice_t device, unsigned long long *bits) { return reasons(device, bits); }
#else
nvmlReturn_t nvmlDeviceGetCurrentClocksThrottleReasons(nvmlDevice_t device, unsigned long long *bits) { return reasons(device, bits); }
#endif
static nvmlReturn_t processes(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos) {
    nvmlReturn_t code = ask(device);
    if (code) return code;
    unsigned int room = *count;
    *count = fake_processes;
    if (room < fake_processes) return INSUFFICIENT_SIZE;
    for (unsigned int row = 0; row < fake_processes; row++)
        infos[row] = (nvmlProcessInfo_t){ row + 1 == fake_processes ? fake_pid : 1, fake_used, 0xFFFFFFFF, 0xFFFFFFFF };
    return SUCCESS;
}
#ifndef WITHOUT_V3
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v3(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos) { return processes(device, count, infos); }
#endif
nvmlReturn_t nvmlDeviceGetComputeRunningProcesses_v2(nvmlDevice_t device, unsigned int *count, nvmlProcessInfo_t *infos) { return processes(device, count, infos); }
