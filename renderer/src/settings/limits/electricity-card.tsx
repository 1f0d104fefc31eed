import { useId, useState } from 'react'
import { type Currency, currencies, hasTestCoins, noPrices, type Prices } from '../../../../preload/api/electricity.ts'
import type { NetworkState } from '../../../../preload/api/system.ts'
import { useCall } from '../../api/use-call.ts'
import { parsePrice, typedPrice } from '../../format/fiat.ts'
import { useFormat } from '../../format/use-format.ts'
import { useTexts } from '../../messages/texts.tsx'
import { Refusal } from '../../ui/error-note.tsx'
import { Switch } from '../../ui/switch.tsx'
import { ArrivalTitle } from './arrival-title.tsx'

interface ElectricityCardProps {
  prices: Prices | undefined
  /** Undefined until it is known. */
  network: Pick<NetworkState, 'chain' | 'readOnly'> | undefined
  held: boolean
  passedOver: boolean
  /** Another screen led here. */
  arrived: boolean
}

/** What the owner pays for power and what a TON is worth to them: nobody else is asked, and nothing is assumed. */
export function ElectricityCard({ prices = noPrices, network, held, passedOver, arrived }: ElectricityCardProps) {
  const { t } = useTexts()
  const format = useFormat()
  const set = useCall('electricity.set')
  const { power, ton, pauseWhenNotPaying } = prices
  // Of a price that is not told yet.
  const [chosen, setChosen] = useState<Currency>()
  const [typed, setTyped] = useState<number>()
  const currency = power?.currency ?? chosen
  const about = useId()
  const testCoins = network !== undefined && hasTestCoins(network.chain)
  const canJudge = power !== null && (ton !== null || testCoins)

  const choose = (next: Currency): void => {
    setChosen(next)
    const perKwhMicros = power?.perKwhMicros ?? typed
    if (perKwhMicros !== undefined) void set.run({ power: { currency: next, perKwhMicros } })
  }
  const tell = (perKwhMicros: number | null): void => {
    setTyped(perKwhMicros ?? undefined)
    if (perKwhMicros === null) {
      if (power !== null) void set.run({ power: null })
    } else if (currency) void set.run({ power: { currency, perKwhMicros } })
  }
  return (
    <>
      <div className="card-head">
        <ArrivalTitle arrived={arrived}>{t('electricity.title')}</ArrivalTitle>
        {held ? <span className="chip chip-accent">{t('limits.held')}</span> : null}
        {passedOver ? <span className="chip">{t('limits.anywayNow')}</span> : null}
      </div>
      {set.error ? (
        <div className="px-[1.125rem]">
          <Refusal error={set.error} />
        </div>
      ) : null}
      {network?.readOnly ? <p className="px-[1.125rem] pb-2 text-sm text-ink-2">{t('electricity.readOnly')}</p> : null}
      <div className="setting-row">
        <Words name={t('electricity.price')} text={t('electricity.price.text')} />
        <PriceField label={t('electricity.price')} micros={power?.perKwhMicros ?? typed ?? null} onTell={tell} />
        <select
          className="field"
          aria-label={t('electricity.currency')}
          value={currency ?? ''}
          onChange={(event) => {
            const next = currencies.find((one) => one === event.target.value)
            if (next) choose(next)
          }}
        >
          {currency ? null : <option value="">{t('electricity.currency')}</option>}
          {currencies.map((one) => (
            <option key={one}>{one}</option>
          ))}
        </select>
        {typed !== undefined && !currency ? (
          <p role="status" className="w-full text-sm text-danger">
            {t('electricity.chooseCurrency')}
          </p>
        ) : null}
      </div>
      <div className="setting-row">
        <Words
          name={t('electricity.ton')}
          text={t(testCoins ? 'electricity.ton.testCoins' : 'electricity.ton.text')}
          note={ton ? t('electricity.ton.since', { when: format.dateTime(ton.statedAtMs) }) : undefined}
        />
        {power ? (
          <PriceField
            key={power.currency}
            label={t('electricity.ton')}
            unit={power.currency}
            micros={ton?.micros ?? null}
            onTell={(tonMicros) => void set.run({ tonMicros })}
          />
        ) : (
          <span className="text-sm text-ink-3">{t('electricity.priceFirst')}</span>
        )}
      </div>
      <div className="setting-row">
        <div id={about} className="min-w-[220px] flex-1 basis-[260px]">
          <p className="font-semibold">{t('electricity.pause')}</p>
          <p className="text-sm text-ink-2">{t('electricity.pause.text')}</p>
          {canJudge ? null : <p className="text-sm text-ink-3">{t('electricity.pause.needs')}</p>}
        </div>
        <Switch
          label={t('electricity.pause')}
          describedBy={about}
          on={pauseWhenNotPaying}
          disabled={!canJudge && !pauseWhenNotPaying}
          onChange={(on) => void set.run({ pauseWhenNotPaying: on })}
        />
      </div>
    </>
  )
}

function Words({ name, text, note }: { name: string; text: string; note?: string | undefined }) {
  return (
    <div className="min-w-[220px] flex-1 basis-[260px]">
      <p className="font-semibold">{name}</p>
      <p className="text-sm text-ink-2">{text}</p>
      {note ? <p className="num text-sm text-ink-3">{note}</p> : null}
    </div>
  )
}

interface PriceFieldProps {
  label: string
  unit?: string
  /** Null while none is told. */
  micros: number | null
  /** When the field is left, or Enter pressed; null when it was emptied. */
  onTell(micros: number | null): void
}

function PriceField({ label, unit, micros, onTell }: PriceFieldProps) {
  const { t, language } = useTexts()
  const problem = useId()
  // While it is edited, what was typed; else what is kept.
  const [text, setText] = useState<string | null>(null)
  const shown = text ?? (micros === null ? '' : typedPrice(micros, language))
  const isEmpty = shown.trim() === ''
  const isWrong = !isEmpty && parsePrice(shown, language) === null
  const leave = (): void => {
    if (text === null || isWrong) return
    setText(null)
    const next = isEmpty ? null : parsePrice(text, language)
    if (next !== micros) onTell(next)
  }
  return (
    <span className="flex flex-col gap-1">
      <span className="field w-36">
        <input
          className="num"
          inputMode="decimal"
          aria-label={label}
          aria-invalid={isWrong}
          {...(isWrong && { 'aria-describedby': problem })}
          placeholder={t('electricity.notSet')}
          value={shown}
          onChange={(event) => setText(event.target.value)}
          onBlur={leave}
          onKeyDown={(event) => {
            if (event.key === 'Enter') leave()
          }}
        />
        {unit ? <span className="text-ink-3">{unit}</span> : null}
      </span>
      {isWrong ? (
        <span id={problem} className="text-xs text-danger">
          {t('electricity.wrong')}
        </span>
      ) : null}
    </span>
  )
}
