// What runs beside the network: a camera frame into its input, its raw output into candidates, and which of these overlap.
//
// No header is included, so that NVRTC compiles this on a device with CUDA's runtime libraries alone. Products and sums
// go through __fmul_rn, __fsub_rn and __fadd_rn: the compiler may not fuse them, and results equal numpy's to the bit.

#ifdef __CUDACC__
__device__ inline unsigned short half_from_float(float value) {
    unsigned short half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
}

__device__ inline float float_from_half(unsigned short half) {
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
}
#endif

// A result between two pixels, or two rows: where they lie, and their weights in 1/2048.
struct __align__(16) Tap {
    int first, second;
    int first_weight, second_weight;
};

struct Letterbox {
    const unsigned char* frame;  // BGR; the first row that the taps of `rows` count from
    long long pitch_bytes;       // from one row to the next
    const Tap* columns;          // one for each column of the picture, in bytes from the row's start
    const Tap* rows;             // one for each row of the picture, in rows
    void* planes;                // three, height * width each
    int width, height;           // of the network's input
    int left, top, picture_width, picture_height;
    int sources[3];              // for each plane: the byte of a pixel that it takes
    float gains[3], offsets[3], borders[3];
};

// So many candidates of a picture are compared with each other, or none where there are more.
enum { COMPARED = 256, WORD_BITS = 32 };

struct Candidate {
    float left, top, right, bottom;  // input pixels
    float score;
    int class_id;
    int anchor;
    // Of the picture, not of this candidate: in place i, the row of the i-th surest, and bit j for its overlap with the
    // j-th surest. Written where all are compared.
    int ranked;
    unsigned overlaps[COMPARED / WORD_BITS];
};

struct Decode {
    const void* output;
    int* counts;           // one for each picture; counts on beyond `limit`
    Candidate* candidates; // `limit` for each picture
    long long picture_stride, anchor_stride, channel_stride;  // in values
    int anchors, classes, limit;
    int has_objectness;    // in channel 4, before the classes
    float confidence, objectness_confidence;
};

struct Compare {
    const int* counts;
    Candidate* candidates; // `limit` for each picture
    int limit, compared;   // at most `compared` are compared with each other; neither limit nor COMPARED is exceeded
    int class_agnostic;
    float iou;
};

__device__ inline void store(float* at, float value) { *at = value; }
__device__ inline void store(unsigned short* at, float value) { *at = half_from_float(value); }
__device__ inline float load(const float* at) { return *at; }
__device__ inline float load(const unsigned short* at) { return float_from_half(*at); }

// OpenCV's INTER_LINEAR for bytes, to the bit: rows first, four bits dropped, then columns with sixteen bits dropped from
// each product (imgproc/src/resize.cpp, HResizeLinear and VResizeLinear for uchar).
__device__ inline int between(const unsigned char* upper, const unsigned char* lower, const Tap& across, const Tap& down) {
    int above = upper[across.first] * across.first_weight + upper[across.second] * across.second_weight;
    int below = lower[across.first] * across.first_weight + lower[across.second] * across.second_weight;
    int sum = ((down.first_weight * (above >> 4)) >> 16) + ((down.second_weight * (below >> 4)) >> 16);
    return (sum + 2) >> 2;
}

template <typename Value>
__device__ inline void letterbox(const Letterbox& job) {
    int x = blockIdx.x * blockDim.x + threadIdx.x;
    int y = blockIdx.y * blockDim.y + threadIdx.y;
    if (x >= job.width || y >= job.height) return;
    long long plane = (long long)job.width * job.height;
    Value* at = (Value*)job.planes + (long long)y * job.width + x;
    int column = x - job.left, row = y - job.top;
    if (column < 0 || column >= job.picture_width || row < 0 || row >= job.picture_height) {
        for (int channel = 0; channel < 3; channel++) store(at + channel * plane, job.borders[channel]);
        return;
    }
    Tap across = job.columns[column], down = job.rows[row];
    const unsigned char* upper = job.frame + down.first * job.pitch_bytes;
    const unsigned char* lower = job.frame + down.second * job.pitch_bytes;
    for (int channel = 0; channel < 3; channel++) {
        int source = job.sources[channel];
        float pixel = (float)between(upper + source, lower + source, across, down);
        store(at + channel * plane, __fsub_rn(__fmul_rn(pixel, job.gains[channel]), job.offsets[channel]));
    }
}

__device__ inline bool is_finite(float value) { return fabsf(value) <= 3.402823466e38f; }

// One thread for each anchor: the best class, the first of equals; anchors with a NaN score are none.
template <typename Value>
__device__ inline void decode(const Decode& job) {
    int anchor = blockIdx.x * blockDim.x + threadIdx.x;
    int picture = blockIdx.y;
    if (anchor >= job.anchors) return;
    long long step = job.channel_stride;
    const Value* at = (const Value*)job.output + picture * job.picture_stride + anchor * job.anchor_stride;
    float objectness = 1.0f;
    const Value* scores = at + 4 * step;
    if (job.has_objectness) {
        objectness = load(scores);
        scores += step;
        if (!(objectness >= job.objectness_confidence)) return;
    }
    float best = 0.0f;
    int class_id = -1;
    bool sound = true;
#pragma unroll 8
    for (int index = 0; index < job.classes; index++) {
        float score = load(scores + index * step);
        if (job.has_objectness) score = __fmul_rn(score, objectness);
        if (score != score) sound = false;
        if (class_id < 0 || score > best) {
            best = score;
            class_id = index;
        }
    }
    if (!sound || !(best >= job.confidence) || !is_finite(best)) return;
    float x = load(at), y = load(at + step);
    float half_width = load(at + 2 * step) * 0.5f, half_height = load(at + 3 * step) * 0.5f;
    Candidate found = {__fsub_rn(x, half_width), __fsub_rn(y, half_height), __fadd_rn(x, half_width),
                       __fadd_rn(y, half_height), best, class_id, anchor};
    if (!is_finite(found.left) || !is_finite(found.top) || !is_finite(found.right) || !is_finite(found.bottom)) return;
    int place = atomicAdd(job.counts + picture, 1);
    if (place < job.limit) job.candidates[(long long)picture * job.limit + place] = found;
}

// How many candidates of the picture to compare: none if there are too many.
__device__ inline int compared(const Compare& job) {
    int count = job.counts[blockIdx.y];
    return count > job.compared ? 0 : count;
}

// core/nms.py's expression, in its order. Boxes are finite, but differences and products of theirs may overflow.
__device__ inline float area(const Candidate& box) {
    return __fmul_rn(__fsub_rn(box.right, box.left), __fsub_rn(box.bottom, box.top));
}

__device__ inline bool overlap(const Candidate& one, const Candidate& other, float iou) {
    float width = fmaxf(__fsub_rn(fminf(one.right, other.right), fmaxf(one.left, other.left)), 0.0f);
    float height = fmaxf(__fsub_rn(fminf(one.bottom, other.bottom), fmaxf(one.top, other.top)), 0.0f);
    float shared = __fmul_rn(height, width);
    return shared > __fmul_rn(__fsub_rn(__fadd_rn(area(one), area(other)), shared), iou);
}

// One thread for each candidate: its place by falling score, equal scores by anchor.
extern "C" __global__ void rank_candidates(const Compare job) {
    int row = blockIdx.x * blockDim.x + threadIdx.x, count = compared(job);
    if (row >= count) return;
    Candidate* all = job.candidates + (long long)blockIdx.y * job.limit;
    float score = all[row].score;
    int anchor = all[row].anchor, place = 0;
    for (int other = 0; other < count; other++) {
        float rival = all[other].score;
        if (rival > score || (rival == score && all[other].anchor < anchor)) place++;
    }
    all[place].ranked = row;
}

// One thread for each word of overlaps, after rank_candidates.
extern "C" __global__ void compare_candidates(const Compare job) {
    int word = threadIdx.x, place = blockIdx.x * blockDim.y + threadIdx.y, count = compared(job);
    if (place >= count) return;
    Candidate* all = job.candidates + (long long)blockIdx.y * job.limit;
    const Candidate& one = all[all[place].ranked];
    unsigned bits = 0;
    for (int bit = 0; bit < WORD_BITS && word * WORD_BITS + bit < count; bit++) {
        const Candidate& other = all[all[word * WORD_BITS + bit].ranked];
        bool rivals = job.class_agnostic || one.class_id == other.class_id;
        if (rivals && overlap(one, other, job.iou)) bits |= 1u << bit;
    }
    all[place].overlaps[word] = bits;
}

extern "C" __global__ void letterbox_float32(const Letterbox job) { letterbox<float>(job); }
extern "C" __global__ void letterbox_float16(const Letterbox job) { letterbox<unsigned short>(job); }
extern "C" __global__ void decode_float32(const Decode job) { decode<float>(job); }
extern "C" __global__ void decode_float16(const Decode job) { decode<unsigned short>(job); }
