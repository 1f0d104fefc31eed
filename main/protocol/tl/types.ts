import type { declarations } from './schema.ts'

type Declaration = (typeof declarations)[number]

type NameOf<D> = D extends `${infer First} ${string}` ? (First extends `${infer Name}#${string}` ? Name : First) : never
type ResultOf<D> = D extends `${string} = ${infer Result}` ? Result : never
type FieldTextOf<D> = D extends `${string} ${infer Fields} = ${string}` ? Fields : ''

/** `a:int b:(vector c.d) ...` as a union of [name, type] pairs. */
type FieldsOf<T> = T extends `${infer Name}:(vector ${infer Item})${infer Rest}`
  ? Name extends `${infer Before}:${string}`
    ? SimpleField<T, Before>
    : [Name, `vector ${Item}`] | (Rest extends ` ${infer Tail}` ? FieldsOf<Tail> : never)
  : T extends `${infer Name}:${string}`
    ? SimpleField<T, Name>
    : never
type SimpleField<T, Name extends string> = T extends `${Name}:${infer Type} ${infer Tail}`
  ? [Name, Type] | FieldsOf<Tail>
  : T extends `${Name}:${infer Type}`
    ? [Name, Type]
    : never

type DeclarationNamed<N> = Declaration extends infer D
  ? D extends Declaration
    ? NameOf<D> extends N
      ? D
      : never
    : never
  : never
type NamesWithResult<R> = Declaration extends infer D
  ? D extends Declaration
    ? ResultOf<D> extends R
      ? NameOf<D>
      : never
    : never
  : never

type ValueOf<T> = T extends 'int' | '#' | 'double'
  ? number
  : T extends 'long'
    ? bigint
    : T extends 'string'
      ? string
      : T extends 'bytes' | 'int256'
        ? Uint8Array
        : T extends 'Bool'
          ? boolean
          : T extends `vector ${infer Item}`
            ? readonly ValueOf<Item>[]
            : T extends TlName
              ? TlObject<T>
              : TlObject<Extract<NamesWithResult<T>, TlName>>

type Shape<N extends string, F extends [string, string]> = {
  readonly '@type': N
} & {
  readonly [P in F as P[1] extends `flags.${string}` ? never : P[0]]: ValueOf<P[1]>
} & {
  readonly [P in F as P[1] extends `flags.${string}` ? P[0] : never]?: P[1] extends `${string}?${infer T}` ? ValueOf<T> : never
}
type Flat<T> = { [K in keyof T]: T[K] }

/** Name of a constructor or function, as in the schema. */
export type TlName = Exclude<NameOf<Declaration>, 'boolTrue' | 'boolFalse'>

type Shapes = { [N in TlName]: Flat<Shape<N, FieldsOf<FieldTextOf<DeclarationNamed<N>>>>> }

/**
 * Value of the named constructor(s): `@type` and the fields under their TL names. `long` is a bigint, `int`, `#` and `double` a number,
 * `bytes` and `int256` (32 bytes) a Uint8Array, `Bool` a boolean. Conditional fields are absent when their flag bit is clear.
 */
export type TlObject<N extends TlName = TlName> = Shapes[N]
