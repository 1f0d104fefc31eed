/** Numbers of the value types in GGUF metadata. */
export const valueTypes = {
  u8: 0,
  i8: 1,
  u16: 2,
  i16: 3,
  u32: 4,
  i32: 5,
  f32: 6,
  bool: 7,
  string: 8,
  array: 9,
  u64: 10,
  i64: 11,
  f64: 12,
} as const

export interface List {
  readonly items: number
  readonly itemType: number
  /** Of a short list of numbers or truth values (1 and 0); null for texts, lists and long lists. */
  readonly numbers: readonly number[] | null
}

export type Value = string | number | boolean | List

export type Values = ReadonlyMap<string, Value>
