import { open } from 'node:fs/promises'
import { tensorTypes } from '../gguf-types.ts'
import { valueTypes } from '../gguf-values.ts'

/** A model of any shape whose weights are all zero: the file is a hole on the disk, but takes memory like a real one. */
export interface Shape {
  readonly embedding: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headSize: number
  readonly feedForward: number
  readonly vocabulary: number
  readonly contextTokens: number
  /** Number of a tensor type for the matrices, e.g. 8 for Q8_0; vectors are F32. */
  readonly type: number
  /** Without a matrix of its own for the output. */
  readonly tied: boolean
}

class Writer {
  readonly #parts: Buffer[] = []
  length = 0
  #add(bytes: Buffer): void {
    this.#parts.push(bytes)
    this.length += bytes.length
  }
  u32(value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeUInt32LE(value)
    this.#add(bytes)
  }
  u64(value: number): void {
    const bytes = Buffer.alloc(8)
    bytes.writeBigUInt64LE(BigInt(value))
    this.#add(bytes)
  }
  f32(value: number): void {
    const bytes = Buffer.alloc(4)
    bytes.writeFloatLE(value)
    this.#add(bytes)
  }
  text(value: string): void {
    const bytes = Buffer.from(value)
    this.u64(bytes.length)
    this.#add(bytes)
  }
  raw(value: string): void {
    this.#add(Buffer.from(value))
  }
  join(): Buffer {
    return Buffer.concat(this.#parts)
  }
}

/** Writes the file. Its header is that of a llama model with a byte vocabulary filled up by words without meaning. */
export async function writeShapedGguf(path: string, shape: Shape): Promise<void> {
  const head = new Writer()
  const tensors = tensorsOf(shape)
  const pairs = metadataOf(shape)
  head.raw('GGUF')
  head.u32(3)
  head.u64(tensors.length)
  head.u64(pairs.length)
  for (const write of pairs) write(head)
  let offset = 0
  for (const { name, dimensions, type } of tensors) {
    head.text(name)
    head.u32(dimensions.length)
    for (const size of dimensions) head.u64(size)
    head.u32(type)
    head.u64(offset)
    offset += Math.ceil(bytesOf(dimensions, type) / 32) * 32
  }
  const file = await open(path, 'w')
  try {
    await file.write(head.join())
    await file.truncate(Math.ceil(head.length / 32) * 32 + offset)
  } finally {
    await file.close()
  }
}

function bytesOf(dimensions: readonly number[], type: number): number {
  const [, perBlock, blockBytes] = tensorTypes.get(type) ?? ['', 1, 0]
  return (dimensions.reduce((product, size) => product * size, 1) / perBlock) * blockBytes
}

function tensorsOf(shape: Shape): { name: string; dimensions: readonly number[]; type: number }[] {
  const { embedding, layers, heads, kvHeads, headSize, feedForward, vocabulary, type, tied } = shape
  const vector = (name: string) => ({ name, dimensions: [embedding], type: 0 })
  const matrix = (name: string, columns: number, rows: number) => ({ name, dimensions: [columns, rows], type })
  const list = [matrix('token_embd.weight', embedding, vocabulary), vector('output_norm.weight')]
  if (!tied) list.push(matrix('output.weight', embedding, vocabulary))
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string): string => `blk.${layer}.${part}.weight`
    list.push(
      vector(name('attn_norm')),
      matrix(name('attn_q'), embedding, heads * headSize),
      matrix(name('attn_k'), embedding, kvHeads * headSize),
      matrix(name('attn_v'), embedding, kvHeads * headSize),
      matrix(name('attn_output'), heads * headSize, embedding),
      vector(name('ffn_norm')),
      matrix(name('ffn_gate'), embedding, feedForward),
      matrix(name('ffn_up'), embedding, feedForward),
      matrix(name('ffn_down'), feedForward, embedding),
    )
  }
  return list
}

function metadataOf(shape: Shape): ((to: Writer) => void)[] {
  const { u32, f32, string, array, i32 } = valueTypes
  const text = (key: string, value: string) => (to: Writer) => {
    to.text(key)
    to.u32(string)
    to.text(value)
  }
  const number = (key: string, value: number) => (to: Writer) => {
    to.text(key)
    to.u32(u32)
    to.u32(value)
  }
  const list = (key: string, type: number, write: (to: Writer, token: number) => void) => (to: Writer) => {
    to.text(key)
    to.u32(array)
    to.u32(type)
    to.u64(shape.vocabulary)
    for (let token = 0; token < shape.vocabulary; token++) write(to, token)
  }
  const word = (token: number): string => {
    if (token < 3) return ['<unk>', '<s>', '</s>'][token] ?? ''
    return token < 259 ? `<0x${(token - 3).toString(16).toUpperCase().padStart(2, '0')}>` : `\u2581w${token}`
  }
  return [
    text('general.architecture', 'llama'),
    text('general.name', 'Shaped zeros'),
    number('llama.context_length', shape.contextTokens),
    number('llama.embedding_length', shape.embedding),
    number('llama.block_count', shape.layers),
    number('llama.feed_forward_length', shape.feedForward),
    number('llama.attention.head_count', shape.heads),
    number('llama.attention.head_count_kv', shape.kvHeads),
    number('llama.attention.key_length', shape.headSize),
    number('llama.attention.value_length', shape.headSize),
    number('llama.rope.dimension_count', shape.headSize),
    (to) => {
      to.text('llama.attention.layer_norm_rms_epsilon')
      to.u32(f32)
      to.f32(1e-5)
    },
    text('tokenizer.ggml.model', 'llama'),
    list('tokenizer.ggml.tokens', string, (to, token) => to.text(word(token))),
    list('tokenizer.ggml.scores', f32, (to, token) => to.f32(-token)),
    list('tokenizer.ggml.token_type', i32, (to, token) => to.u32(token === 0 ? 2 : token < 3 ? 3 : token < 259 ? 6 : 1)),
    number('tokenizer.ggml.bos_token_id', 1),
    number('tokenizer.ggml.eos_token_id', 2),
  ]
}
