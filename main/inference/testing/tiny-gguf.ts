import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { rename, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * A small model of the llama architecture with random weights (about 2.6 million parameters, 10 MB): it speaks nonsense, but loads,
 * streams and counts like a real one, in a second. Deterministic by `seed`.
 */
export interface TinyModel {
  readonly seed?: number
  /** Context length in the header. */
  readonly contextTokens?: number
  /** Jinja; default: ChatML. */
  readonly chatTemplate?: string
}

const width = 256
const layers = 4
const heads = 8
const kvHeads = 4
const feedForward = 512
const words =
  'the of and to in is you that it he was for on are as with his they at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part'.split(
    ' ',
  )
const chatMl =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"

/** Value types of GGUF metadata. */
const valueType = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const
const tokenType = { normal: 1, unknown: 2, control: 3, byte: 6 } as const

interface Token {
  readonly text: string
  readonly type: number
  readonly score: number
}

function vocabulary(): Token[] {
  const { normal, unknown, control, byte } = tokenType
  const special = ['<s>', '</s>', '<|im_start|>', '<|im_end|>'].map((text) => ({ text, type: control, score: 0 }))
  const bytes = Array.from({ length: 256 }, (_, value) => ({
    text: `<0x${value.toString(16).toUpperCase().padStart(2, '0')}>`,
    type: byte,
    score: 0,
  }))
  const characters = Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index))
  const pieces = ['\u2581', ...characters, ...words.map((word) => `\u2581${word}`)]
  return [
    { text: '<unk>', type: unknown, score: 0 },
    ...special,
    ...bytes,
    ...pieces.map((text, index) => ({ text, type: normal, score: -index })),
  ]
}

class Bytes {
  readonly #parts: Uint8Array[] = []
  length = 0

  add(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.length += bytes.length
  }
  u32(value: number): void {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setUint32(0, value, true)
    this.add(bytes)
  }
  f32(value: number): void {
    const bytes = new Uint8Array(4)
    new DataView(bytes.buffer).setFloat32(0, value, true)
    this.add(bytes)
  }
  u64(value: number): void {
    const bytes = new Uint8Array(8)
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
    this.add(bytes)
  }
  text(value: string): void {
    const bytes = new TextEncoder().encode(value)
    this.u64(bytes.length)
    this.add(bytes)
  }
  pad(alignment: number): void {
    const rest = this.length % alignment
    if (rest > 0) this.add(new Uint8Array(alignment - rest))
  }
  join(): Uint8Array {
    // A plain array: a Buffer's `slice` would share its memory.
    return new Uint8Array(Buffer.concat(this.#parts))
  }
}

/** A sum of four uniform values is near enough to a bell curve here, and the same on every machine. */
function random(seed: number): () => number {
  let state = seed >>> 0
  const uniform = (): number => {
    state = (state + 0x6d_2b_79_f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), state | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
  return () => (uniform() + uniform() + uniform() + uniform() - 2) * 1.732
}

interface Tensor {
  readonly name: string
  /** Fastest dimension first, as GGUF has it. */
  readonly shape: readonly number[]
  readonly data: Float32Array
}

function tensors(tokens: readonly Token[], seed: number): Tensor[] {
  const next = random(seed)
  const matrix = (name: string, columns: number, rows: number, scale: number): Tensor => {
    const data = new Float32Array(columns * rows)
    for (let i = 0; i < data.length; i++) data[i] = next() * scale
    return { name, shape: [columns, rows], data }
  }
  const ones = (name: string): Tensor => ({ name, shape: [width], data: new Float32Array(width).fill(1) })
  const kvWidth = (width / heads) * kvHeads
  const output = matrix('output.weight', width, tokens.length, 0.15)
  // Special and byte tokens stay rare, so that answers are words and run to their limit.
  for (const [row, token] of tokens.entries())
    if (token.type !== tokenType.normal)
      for (let column = 0; column < width; column++)
        output.data[row * width + column] = (output.data[row * width + column] ?? 0) * 0.2
  const list: Tensor[] = [matrix('token_embd.weight', width, tokens.length, 1), ones('output_norm.weight'), output]
  for (let layer = 0; layer < layers; layer++) {
    const name = (part: string): string => `blk.${layer}.${part}.weight`
    list.push(
      ones(name('attn_norm')),
      matrix(name('attn_q'), width, width, 0.08),
      matrix(name('attn_k'), width, kvWidth, 0.08),
      matrix(name('attn_v'), width, kvWidth, 0.08),
      matrix(name('attn_output'), width, width, 0.08),
      ones(name('ffn_norm')),
      matrix(name('ffn_gate'), width, feedForward, 0.08),
      matrix(name('ffn_up'), width, feedForward, 0.08),
      matrix(name('ffn_down'), feedForward, width, 0.08),
    )
  }
  return list
}

/** The bytes of the file. */
export function tinyGguf(model: TinyModel = {}): Uint8Array {
  const tokens = vocabulary()
  const weights = tensors(tokens, model.seed ?? 1)
  const index = (text: string): number => tokens.findIndex((token) => token.text === text)
  const meta = new Bytes()
  let pairs = 0
  const key = (name: string, type: number): void => {
    pairs++
    meta.text(name)
    meta.u32(type)
  }
  const text = (name: string, value: string): void => {
    key(name, valueType.string)
    meta.text(value)
  }
  const number = (name: string, value: number): void => {
    key(name, valueType.uint32)
    meta.u32(value)
  }
  const float = (name: string, value: number): void => {
    key(name, valueType.float32)
    meta.f32(value)
  }
  const list = <T>(name: string, type: number, values: readonly T[], write: (value: T) => void): void => {
    key(name, valueType.array)
    meta.u32(type)
    meta.u64(values.length)
    for (const value of values) write(value)
  }
  text('general.architecture', 'llama')
  text('general.name', 'Tiny random')
  number('general.file_type', 0)
  number('llama.context_length', model.contextTokens ?? 2048)
  number('llama.embedding_length', width)
  number('llama.block_count', layers)
  number('llama.feed_forward_length', feedForward)
  number('llama.attention.head_count', heads)
  number('llama.attention.head_count_kv', kvHeads)
  number('llama.rope.dimension_count', width / heads)
  number('llama.vocab_size', tokens.length)
  float('llama.attention.layer_norm_rms_epsilon', 1e-5)
  text('tokenizer.ggml.model', 'llama')
  list('tokenizer.ggml.tokens', valueType.string, tokens, (token) => meta.text(token.text))
  list('tokenizer.ggml.scores', valueType.float32, tokens, (token) => meta.f32(token.score))
  list('tokenizer.ggml.token_type', valueType.int32, tokens, (token) => meta.u32(token.type))
  number('tokenizer.ggml.bos_token_id', index('<s>'))
  number('tokenizer.ggml.eos_token_id', index('<|im_end|>'))
  number('tokenizer.ggml.unknown_token_id', 0)
  for (const name of ['add_bos_token', 'add_space_prefix']) {
    key(`tokenizer.ggml.${name}`, valueType.bool)
    meta.add(new Uint8Array([0]))
  }
  text('tokenizer.chat_template', model.chatTemplate ?? chatMl)

  const file = new Bytes()
  file.add(new TextEncoder().encode('GGUF'))
  file.u32(3)
  file.u64(weights.length)
  file.u64(pairs)
  file.add(meta.join())
  let offset = 0
  for (const tensor of weights) {
    file.text(tensor.name)
    file.u32(tensor.shape.length)
    for (const size of tensor.shape) file.u64(size)
    file.u32(0)
    file.u64(offset)
    offset += Math.ceil(tensor.data.byteLength / 32) * 32
  }
  file.pad(32)
  for (const tensor of weights) {
    file.add(new Uint8Array(tensor.data.buffer))
    file.pad(32)
  }
  return file.join()
}

/** Path of the file, written once per seed into the temporary folder of the system and kept there. */
export async function tinyGgufFile(model: TinyModel = {}): Promise<string> {
  const key = createHash('sha256')
    .update(`7 ${model.seed ?? 1} ${model.contextTokens ?? 2048} ${model.chatTemplate ?? ''}`)
    .digest('hex')
    .slice(0, 12)
  const path = join(tmpdir(), `cocoon-desktop-tiny-${key}.gguf`)
  if (existsSync(path)) return path
  const part = `${path}.${process.pid}.${Math.random().toString(36).slice(2)}`
  await writeFile(part, tinyGguf(model))
  await rename(part, path)
  return path
}
