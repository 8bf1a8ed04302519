#!/usr/bin/env python3
"""Writes a small language model of random weights as GGUF, for llama.cpp: model.py FILE

The same file every time. It knows nothing; what counts is that the same file says the same through
Hesper as natively.
"""

import random
import struct
import sys

LAYERS, WIDTH, HEADS, FEED, CONTEXT = 4, 256, 4, 512, 512
U32, F32, BOOL, STRING, ARRAY, I32 = 4, 6, 7, 8, 9, 5
TYPE_F32, TYPE_F16 = 0, 1
ALIGN = 32

PIECES = [
    "<unk>", "<s>", "</s>",
    *(f"<0x{b:02X}>" for b in range(256)),
    *("\u2581" + w for w in "the a star evening sky light sea moon far near night shines over".split()),
    *"abcdefghijklmnopqrstuvwxyz.,\u2581",
]  # fmt: skip


def text(s):
    b = s.encode()
    return struct.pack("<Q", len(b)) + b


def value(kind, v):
    if kind == STRING:
        return text(v)
    return struct.pack({U32: "<I", F32: "<f", BOOL: "<?", I32: "<i"}[kind], v)


def entry(key, kind, v):
    return text(key) + struct.pack("<I", kind) + value(kind, v)


def array(key, kind, values):
    head = text(key) + struct.pack("<IIQ", ARRAY, kind, len(values))
    return head + b"".join(value(kind, v) for v in values)


def metadata():
    n = len(PIECES)
    # 2: unknown, 3: control, 6: byte, 1: normal
    types = [2, 3, 3] + [6] * 256 + [1] * (n - 259)
    return [
        entry("general.architecture", STRING, "llama"),
        entry("general.name", STRING, "evening star"),
        entry("general.file_type", U32, 1),
        entry("llama.context_length", U32, CONTEXT),
        entry("llama.embedding_length", U32, WIDTH),
        entry("llama.block_count", U32, LAYERS),
        entry("llama.feed_forward_length", U32, FEED),
        entry("llama.attention.head_count", U32, HEADS),
        entry("llama.attention.head_count_kv", U32, HEADS),
        entry("llama.rope.dimension_count", U32, WIDTH // HEADS),
        entry("llama.attention.layer_norm_rms_epsilon", F32, 1e-5),
        entry("llama.vocab_size", U32, n),
        entry("tokenizer.ggml.model", STRING, "llama"),
        array("tokenizer.ggml.tokens", STRING, PIECES),
        array("tokenizer.ggml.scores", F32, [-float(i) for i in range(n)]),
        array("tokenizer.ggml.token_type", I32, types),
        entry("tokenizer.ggml.bos_token_id", U32, 1),
        entry("tokenizer.ggml.eos_token_id", U32, 2),
        entry("tokenizer.ggml.unknown_token_id", U32, 0),
        entry("tokenizer.ggml.add_bos_token", BOOL, True),
    ]


def tensors():
    """(name, shape fastest dimension first, type, spread of the weights) of each tensor."""
    n = len(PIECES)
    yield "token_embd.weight", (WIDTH, n), TYPE_F16, 1.0
    for i in range(LAYERS):
        block = f"blk.{i}."
        yield block + "attn_norm.weight", (WIDTH,), TYPE_F32, None
        for m in ("attn_q", "attn_k", "attn_v", "attn_output"):
            yield block + m + ".weight", (WIDTH, WIDTH), TYPE_F16, 0.08
        yield block + "ffn_norm.weight", (WIDTH,), TYPE_F32, None
        yield block + "ffn_gate.weight", (WIDTH, FEED), TYPE_F16, 0.08
        yield block + "ffn_up.weight", (WIDTH, FEED), TYPE_F16, 0.08
        yield block + "ffn_down.weight", (FEED, WIDTH), TYPE_F16, 0.08
    yield "output_norm.weight", (WIDTH,), TYPE_F32, None
    # Wide: far-apart logits, so that rounding does not choose the word.
    yield "output.weight", (WIDTH, n), TYPE_F16, 2.0


def weights(rng, shape, kind, spread):
    count = 1
    for d in shape:
        count *= d
    if spread is None:
        return struct.pack(f"<{count}f", *([1.0] * count))
    values = [spread * (2 * rng.random() - 1) for _ in range(count)]
    return struct.pack(f"<{count}{'e' if kind == TYPE_F16 else 'f'}", *values)


def padded(b):
    return b + bytes(-len(b) % ALIGN)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    rng = random.Random(1)
    infos, data = b"", b""
    count = 0
    for name, shape, kind, spread in tensors():
        infos += text(name) + struct.pack("<I", len(shape))
        infos += b"".join(struct.pack("<Q", d) for d in shape)
        infos += struct.pack("<IQ", kind, len(data))
        data += padded(weights(rng, shape, kind, spread))
        count += 1
    meta = metadata()
    with open(sys.argv[1], "wb") as f:
        f.write(padded(b"GGUF" + struct.pack("<IQQ", 3, count, len(meta)) + b"".join(meta) + infos))
        f.write(data)


if __name__ == "__main__":
    main()
