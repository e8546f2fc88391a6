/** The few icons of the application, drawn on a 20 by 20 grid. */

const PATHS = {
  overview: "M3 11h5V3H3zM12 17h5V9h-5zM3 17h5v-3H3zM12 6h5V3h-5z",
  logs: "M4 5h12M4 8.5h12M4 12h8M4 15.5h10",
  traces: "M3 5h9M6 9h8M9 13h8M12 17h4",
  metrics: "M3 16l4-6 3.5 3L16.5 4M3 3v14h14",
  sun: "M10 6.5a3.5 3.5 0 1 1 0 7 3.5 3.5 0 0 1 0-7zM10 2v1.5M10 16.5V18M2 10h1.5M16.5 10H18M4.3 4.300l1.100 1.100M14.600 14.600l1.100 1.100M15.700 4.300l-1.100 1.100M5.400 14.600l-1.100 1.100",
  moon: "M16.5 12.300A7 7 0 0 1 7.700 3.5a7 7 0 1 0 8.800 8.800z",
  help: "M7.5 7.5a2.5 2.5 0 1 1 3.600 2.200c-.8.5-1.100.9-1.100 1.800M10 14.300v.2",
  link: "M8.5 11.5l3-3M7 9l-2 2a2.800 2.800 0 0 0 4 4l2-2M13 11l2-2a2.800 2.800 0 0 0-4-4L9 7",
  close: "M5 5l10 10M15 5L5 15",
  left: "M12 4l-6 6 6 6",
  right: "M8 4l6 6-6 6",
  wider: "M8.5 3.5a5 5 0 1 1 0 10 5 5 0 0 1 0-10zM12.200 12.200L17 17M6 8.5h5",
  search: "M8.5 3.5a5 5 0 1 1 0 10 5 5 0 0 1 0-10zM12.200 12.200L17 17",
  play: "M6 4l9 6-9 6z",
  pause: "M7 4v12M13 4v12",
  copy: "M7 7V4h9v9h-3M4 7h9v9H4z",
  check: "M4 10.5l4 4 8-9",
  down: "M4 8l6 6 6-6",
  up: "M4 12l6-6 6 6",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon(props: { name: IconName; size?: number }) {
  const { name, size = 18 } = props;
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 20 20" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  );
}

/** The mark: a lens that gathers light. */
export function Mark() {
  return (
    <svg class="mark" width="26" height="26" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <circle cx="5" cy="16" r="2.2" />
      <path d="M11 9.5a12 12 0 0 1 0 13M16 4.5a20 20 0 0 1 0 23M23.5 8h5.5M25 16h4M23.5 24h5.5" />
    </svg>
  );
}
