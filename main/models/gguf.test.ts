import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as after } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { cpuClock } from '../base/testing/cpu-ms.ts'
import { tinyGguf } from '../inference/testing/tiny-gguf.ts'
import { parseGgufHeader, readGgufHeader } from './gguf.ts'
import { architectures, readIn } from './gguf-known.ts'
import { BadHeader, NeedMoreBytes } from './header-reader.ts'

const whole = tinyGguf({ contextTokens: 2048 })
/** Everything before the weights: the part that the parser reads. */
const headBytes = 16 * 1024
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cocoon-desktop-gguf-'))
})
afterAll(() => rm(folder, { recursive: true }))

async function read(contents: Uint8Array | string): Promise<unknown> {
  const path = join(folder, `${Math.random()}.gguf`)
  await writeFile(path, contents)
  return readGgufHeader(path)
}

/** A copy of the head with a change at the place where `text` ends. */
function changed(text: string, change: (view: DataView, at: number) => void): Uint8Array {
  const copy = whole.slice()
  const at = Buffer.from(copy.buffer).indexOf(text)
  expect(at).toBeGreaterThan(0)
  change(new DataView(copy.buffer), at + text.length)
  return copy
}

/** A copy whose list `key` has lost its last item of `itemBytes`. */
function fewer(key: string, itemBytes: number): Uint8Array {
  const at = Buffer.from(whole.buffer).indexOf(key) + key.length
  const view = new DataView(whole.buffer)
  const items = Number(view.getBigUint64(at + 8, true))
  const end = at + 16 + items * itemBytes
  const copy = Buffer.concat([whole.subarray(0, end - itemBytes), whole.subarray(end), new Uint8Array(64)])
  copy.writeBigUInt64LE(BigInt(items - 1), at + 8)
  return copy
}

/** A copy with one more property, before all others: a text. */
function withText(key: string, text: string): Uint8Array {
  const pair = Buffer.alloc(8 + key.length + 4 + 8 + text.length)
  pair.writeBigUInt64LE(BigInt(key.length))
  pair.write(key, 8)
  pair.writeUInt32LE(8, 8 + key.length)
  pair.writeBigUInt64LE(BigInt(text.length), 12 + key.length)
  pair.write(text, 20 + key.length)
  const head = Buffer.from(whole.subarray(0, 24))
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16)
  return Buffer.concat([head, pair, whole.subarray(24)])
}

/** A copy of `of` in which the text under `key` is another one. */
function instead(key: string, text: string, of: Uint8Array = whole): Uint8Array {
  const at = Buffer.from(of).indexOf(key) + key.length + 4
  expect(at).toBeGreaterThan(key.length + 4)
  const before = Number(new DataView(of.buffer, of.byteOffset).getBigUint64(at, true))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([of.subarray(0, at), length, Buffer.from(text), of.subarray(at + 8 + before), new Uint8Array(64)])
}

/** A copy whose last token, "▁part", is another one. */
function withToken(text: string): Uint8Array {
  const at = Buffer.from(whole.buffer).indexOf('▁part')
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(text)))
  return Buffer.concat([
    whole.subarray(0, at - 8),
    length,
    Buffer.from(text),
    whole.subarray(at + Buffer.byteLength('▁part')),
    new Uint8Array(64),
  ])
}

/** A head with `count` lists of 4,096 truth values, as many as are kept of one list. */
function withLists(count: number): Uint8Array {
  const head = Buffer.from(whole.subarray(0, 24))
  head.writeBigUInt64LE(BigInt(count), 16)
  const pairs = Array.from({ length: count }, (_, index) => {
    const pair = Buffer.alloc(8 + 5 + 4 + 4 + 8 + 4096)
    pair.writeBigUInt64LE(5n)
    pair.write(`a${String(index).padStart(4, '0')}`, 8)
    pair.writeUInt32LE(9, 13)
    pair.writeUInt32LE(7, 17)
    pair.writeBigUInt64LE(4096n, 21)
    return pair
  })
  return Buffer.concat([head, ...pairs])
}

/** A head with one property: a list of `items` of a type, each of eight or twelve zero bytes. */
function withItems(type: 8 | 9, items: number, key = 'a'): Uint8Array {
  const head = Buffer.from(whole.subarray(0, 24))
  head.writeBigUInt64LE(1n, 16)
  const pair = Buffer.alloc(8 + key.length + 4 + 4 + 8)
  pair.writeBigUInt64LE(BigInt(key.length))
  const at = 8 + pair.write(key, 8)
  pair.writeUInt32LE(9, at)
  pair.writeUInt32LE(type, at + 4)
  pair.writeBigUInt64LE(BigInt(items), at + 8)
  return Buffer.concat([head, pair, Buffer.alloc(items * (type === 8 ? 8 : 12))])
}

/** A head that says of itself that it has so many tensors, and no properties. */
function withTensors(count: number): Uint8Array {
  const head = Buffer.from(whole.subarray(0, 24))
  head.writeBigUInt64LE(BigInt(count), 8)
  head.writeBigUInt64LE(0n, 16)
  return Buffer.concat([head, Buffer.alloc(count * 33)])
}

describe('readGgufHeader', () => {
  it('describes a model', async () => {
    expect(await read(whole)).toEqual({
      version: 3,
      architecture: 'llama',
      name: 'Tiny random',
      contextTokens: 2048,
      hasChatTemplate: true,
      quantization: 'F32',
      parameters: 2_594_048,
      tokenizer: 'llama',
      vocabulary: 454,
      licence: null,
      layout: {
        architecture: 'llama',
        embedding: 256,
        heads: 8,
        vocabulary: 454,
        feedForward: 512,
        contextTokens: 2048,
        layers: Array.from({ length: 4 }, () => ({ bytes: 2_361_344, keyValues: 128, valueValues: 128, window: null })),
        inputBytes: 464_896,
        outputBytes: 464_896,
        tiedOutput: false,
        otherBytes: 1024,
        recurrent: false,
      },
    })
  })

  it('reads a header larger than its first piece', async () => {
    const key = new TextEncoder().encode('big')
    const length = 3_000_009
    const extra = new Uint8Array(8 + key.length + 4 + 8 + length)
    const view = new DataView(extra.buffer)
    view.setBigUint64(0, BigInt(key.length), true)
    extra.set(key, 8)
    view.setUint32(8 + key.length, 8, true)
    view.setBigUint64(8 + key.length + 4, BigInt(length), true)
    const head = whole.slice(0, 24)
    const pairs = new DataView(head.buffer)
    pairs.setBigUint64(16, pairs.getBigUint64(16, true) + 1n, true)
    expect(await read(Buffer.concat([head, extra, whole.subarray(24)]))).toMatchObject({ architecture: 'llama' })
  })

  it.each([
    ['an empty file', new Uint8Array(), 'empty'],
    ['a short file', 'GGUF', 'too short'],
    ['a text', 'Dear model, please answer this letter soon.', 'not a GGUF'],
    ['a file cut in its header', whole.subarray(0, 2000), 'cut off'],
    ['a file cut in its weights', whole.subarray(0, whole.length - 100_000), 'cut off'],
    ['a file cut by the last weights', whole.subarray(0, whole.length - 32), 'cut off'],
    ['another version', Buffer.concat([whole.subarray(0, 4), Uint8Array.of(9, 0, 0, 0), whole.subarray(8)]), 'version 9'],
    ['another byte order', Buffer.concat([whole.subarray(0, 4), Uint8Array.of(0, 0, 0, 3), whole.subarray(8)]), 'big-endian'],
    ['an endless text', changed('general.name', (view, at) => view.setBigUint64(at + 4, 1n << 50n, true)), 'long'],
    ['an endless list', changed('tokenizer.ggml.scores', (view, at) => view.setBigUint64(at + 8, 1n << 52n, true)), 'cut off'],
    [
      'a count beyond all numbers',
      changed('tokenizer.ggml.scores', (view, at) => view.setBigUint64(at + 8, (1n << 64n) - 1n, true)),
      'large',
    ],
    ['an unknown value', changed('llama.context_length', (view, at) => view.setUint32(at, 77, true)), 'unknown type'],
    ['a shape of nine dimensions', changed('output.weight', (view, at) => view.setUint32(at, 9, true)), 'impossible shape'],
    ['a tensor of no size', changed('output.weight', (view, at) => view.setBigUint64(at + 4, 0n, true)), 'impossible size'],
    ['a tensor beyond the file', changed('output.weight', (view, at) => view.setBigUint64(at + 24, 1n << 40n, true)), 'missing'],
    [
      'a tensor between two places',
      changed('output.weight', (view, at) => view.setBigUint64(at + 24, 33n, true)),
      'impossible place',
    ],
    // What the native library would take on trust: each of these ends its process or makes it read what is not the file's.
    ['scores of another type', changed('tokenizer.ggml.scores', (view, at) => view.setUint32(at + 4, 5, true)), 'wrong type'],
    [
      'kinds of tokens as texts',
      changed('tokenizer.ggml.token_type', (view, at) => view.setUint32(at + 4, 8, true)),
      'wrong type',
    ],
    ['a text where a list must be', changed('tokenizer.ggml.tokens', (view, at) => view.setUint32(at, 8, true)), 'wrong type'],
    ['a number as its name', changed('general.name', (view, at) => view.setUint32(at, 4, true)), 'wrong type'],
    ['fewer scores than tokens', fewer('tokenizer.ggml.scores', 4), '454 tokens, but 453'],
    ['fewer kinds than tokens', fewer('tokenizer.ggml.token_type', 4), '454 tokens, but 453'],
    ['no layers', changed('llama.block_count', (view, at) => view.setUint32(at + 4, 0, true)), 'number of layers'],
    ['a billion layers', changed('llama.block_count', (view, at) => view.setUint32(at + 4, 1e9, true)), 'number of layers'],
    [
      'seven heads',
      changed('attention.head_count', (view, at) => view.setUint32(at + 4, 7, true)),
      'does not divide its 7 heads',
    ],
    [
      'sixty heads',
      changed('attention.head_count', (view, at) => view.setUint32(at + 4, 60, true)),
      'width of 256 cannot be shared',
    ],
    ['no number', changed('norm_rms_epsilon', (view, at) => view.setFloat32(at + 4, Number.NaN, true)), 'norm_rms_epsilon'],
    ['a huge share', changed('norm_rms_epsilon', (view, at) => view.setFloat32(at + 4, 7, true)), 'norm_rms_epsilon'],
    ['a kind that is none', instead('general.architecture', 'evil'), 'kind of model ("evil")'],
    ['a tokenizer that is none', instead('tokenizer.ggml.model', 'evil'), 'kind of tokenizer ("evil")'],
    ['a token twice', withToken('▁made'), 'a token twice: number 453'],
    ['a token that is another one to its first zero', withToken('▁made\0x'), 'a token twice: number 453'],
    ['more tokens than any model has', withItems(8, 1_000_001, 'tokenizer.ggml.tokens'), 'impossibly many tokens'],
    ['no tokens', withItems(8, 0, 'tokenizer.ggml.tokens'), 'has no tokens'],
    ['no heads', changed('llama.attention.head_count', (view, at) => view.setUint32(at + 4, 0, true)), '"attention.head_count"'],
    ['heads that are not told', changed('llama.attention.head_count', (view, at) => view.setUint8(at - 1, 120)), 'head_count"'],
    [
      'a width that is not told',
      changed('feed_forward_length', (view, at) => view.setUint8(at - 1, 120)),
      'feed_forward_length"',
    ],
    ['no tokenizer', instead('tokenizer.ggml.model', 'no_vocab'), 'has no tokens'],
    ['no tokenizer by its other name', instead('tokenizer.ggml.model', 'none'), 'has no tokens'],
    [
      'a splitting that is none',
      instead('tokenizer.ggml.model', 'gpt2', withText('tokenizer.ggml.pre', 'evil')),
      'splits text ("evil")',
    ],
    ['heads beyond number', changed('head_count_kv', (view, at) => view.setUint32(at + 4, 0xffff_ffff, true)), 'head_count_kv'],
    ['a tensor of a type that is no more', changed('output.weight', (view, at) => view.setUint32(at + 20, 4, true)), 'any more'],
    [
      'two tensors at one place',
      changed('output_norm.weight', (view, at) => view.setBigUint64(at + 4 + 8 + 4, 0n, true)),
      'same place',
    ],
    ['a name that ends in its middle', changed('output_norm', (view, at) => view.setUint8(at - 1, 0)), 'impossible name'],
    ['a template without end', withText('tokenizer.chat_template', 'x'.repeat(1024 * 1024 + 1)), 'impossibly long'],
    ['more numbers than any model has', withLists(245), 'many numbers'],
    ['lists of lists', withItems(9, 1000), 'list of lists'],
    ['more texts than any model has', withItems(8, 3_000_001), 'many texts'],
    ['more tensors than any model has', withTensors(65_537), 'many tensors'],
    ['a property twice', withText('general.name', 'Another'), 'twice'],
  ])('refuses %s with a clear sentence', async (_, contents, part) => {
    await expect(read(contents)).rejects.toMatchObject({ code: 'not-a-model', message: expect.stringContaining(part) })
  })

  it.skipIf(process.platform === 'win32')('does not wait for the other end of a pipe', async () => {
    const pipe = join(folder, 'pipe.gguf')
    await promisify(execFile)('mkfifo', [pipe])
    const refused = readGgufHeader(pipe).then(
      () => 'taken',
      (error: unknown) => error,
    )
    // Without this the pipe would hold up the end of the test too.
    const writer = setTimeout(() => void writeFile(pipe, 'x'), 2000)
    expect(await Promise.race([refused, after(1000)])).toMatchObject({ code: 'not-a-model', message: 'This is not a file.' })
    clearTimeout(writer)
  })

  it('takes several tokens without text, which the engine names by their numbers', () => {
    const [first, second] = [withToken(''), '▁may']
    const at = Buffer.from(first).indexOf(second)
    const file = Buffer.concat([
      first.subarray(0, at - 8),
      Buffer.alloc(8),
      first.subarray(at + Buffer.byteLength(second)),
      new Uint8Array(64),
    ])
    expect(parseGgufHeader(file, file.length + 64).vocabulary).toBe(454)
  })

  it('takes a way to split text that the tokenizer does not read', () => {
    const file = withText('tokenizer.ggml.pre', 'evil')
    expect(parseGgufHeader(file, file.length + 64).tokenizer).toBe('llama')
  })

  it('knows the kinds of the engine that is there', async () => {
    const modules = fileURLToPath(new URL('../../node_modules/', import.meta.url))
    const info = await readFile(join(modules, 'node-llama-cpp/llama/llama.cpp.info.json'), 'utf8')
    expect(JSON.parse(info)).toMatchObject({ tag: readIn })
    const folder = join(modules, '@node-llama-cpp')
    const libraries = (await readdir(folder, { recursive: true })).filter((path) =>
      /libllama\.[^/]*$|[\\/]llama\.dll$/.test(path),
    )
    expect(libraries).not.toEqual([])
    const [library = ''] = libraries
    const bytes = await readFile(join(folder, library))
    for (const kind of architectures) expect([kind, bytes.includes(`${kind}\0`)]).toEqual([kind, true])
    expect(bytes.includes('evil\0')).toBe(false)
  })

  it('refuses a folder and a missing file', async () => {
    await expect(readGgufHeader(folder)).rejects.toMatchObject({ code: 'not-a-model' })
    await expect(readGgufHeader(join(folder, 'none.gguf'))).rejects.toMatchObject({ code: 'not-a-model' })
  })
})

describe('parseGgufHeader under damage', () => {
  it('answers thousands of mutated headers quickly, with a header or a refusal', () => {
    let state = 42
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
      return Math.floor((state / 4_294_967_296) * below)
    }
    const head = whole.slice(0, headBytes)
    const interesting = [0, 1, 0x7f, 0x80, 0xff, 8, 9]
    let refused = 0
    let accepted = 0
    const usedMs = cpuClock()
    for (let round = 0; round < 6000; round++) {
      const copy = head.slice(0, round % 5 === 0 ? random(headBytes) : headBytes)
      const changes = 1 + random(6)
      for (let change = 0; change < changes && copy.length > 0; change++) {
        // Most lengths and types lie near the beginning.
        const at = random(round % 2 === 0 ? copy.length : Math.min(copy.length, 1200))
        const run = random(4) === 0 ? 8 : 1
        for (let i = at; i < Math.min(at + run, copy.length); i++)
          copy[i] = interesting[random(interesting.length + 3)] ?? random(256)
      }
      const onceMs = cpuClock()
      try {
        parseGgufHeader(copy, random(3) === 0 ? copy.length : whole.length)
        accepted++
      } catch (error) {
        expect(error instanceof BadHeader || error instanceof NeedMoreBytes, String(error)).toBe(true)
        refused++
      }
      expect(onceMs()).toBeLessThan(5000)
    }
    expect(refused).toBeGreaterThan(2000)
    expect(accepted).toBeGreaterThan(100)
    expect(usedMs()).toBeLessThan(20_000)
  })
})
