"""Every word of a review, in each language. Names of figures are those of the report."""

from __future__ import annotations

from edgekit.report.texts import LANGUAGES, text

_TABLE: dict[str, tuple[str, str]] = {
    "html_lang": ("en", "zh-CN"),
    "kicker": ("Review", "评审"),
    "title": ("{detector} on {device}: what it brought", "{detector} · {device}：成效"),
    "sub": ("{before} before, {after} now · measured {when}", "之前 {before}，现在 {after} · 测量于 {when}"),
    "sub_alone": ("{after} · measured {when}", "{after} · 测量于 {when}"),
    "alone": (
        "Only one engine was measured under these conditions, so that there is no before: "
        "edgekit bench --fps --precision all",
        "该条件下只测量了一个引擎，因此没有“之前”：edgekit bench --fps --precision all",
    ),
    "level_figures": ("1. Figures", "一、数据"),
    "level_business": ("2. What they mean for the business", "二、业务影响"),
    "level_team": ("3. What the team gains", "三、团队收益"),
    "note_figures": (
        "Measured in the same way for both, on the same device. The details are in edgekit report.",
        "在同一设备上以相同方式测得。详情见 edgekit report。",
    ),
    "note_business": (
        "Reckoned from the figures above and from your own prices.yaml. Nothing is assumed for what it leaves out.",
        "由以上数据与您自己的 prices.yaml 计算得出。未填写的内容不作任何假设。",
    ),
    "note_team": (
        "Counted in what this project recorded. Hours are your own estimate of one, times how often it was done.",
        "取自本项目的记录。工时为您自己对单次用时的估计乘以次数。",
    ),
    "before": ("before", "之前"),
    "now": ("now", "现在"),
    "change": ("change", "变化"),
    "how": ("how it comes about", "计算方式"),
    "not_computed": ("not computed: {missing}", "未计算：{missing}"),
    "not_measured": ("not measured", "未测量"),
    "list_comma": (", ", "、"),
    "written_at": ("Written by edgekit {version} on {when}.", "由 edgekit {version} 生成于 {when}。"),
    "prices": ("Your prices and needs", "您的价格与需求"),
    "no_prices": (
        "None are given. edgekit report --review --init-prices writes a prices.yaml to fill in.",
        "尚未填写。edgekit report --review --init-prices 会写出可填写的 prices.yaml。",
    ),
    "missing_measured": ("not measured", "未测量"),
    "missing_disturbed": ("the run was disturbed", "运行受到干扰"),
    "missing_rate": ("no rate through the pipeline was measured", "未测量流水线速率"),
    "missing_watts": ("power was not measured", "未测量功耗"),
    "missing_speed": ("one device does not give a single camera that rate", "单台设备达不到一路摄像头所需速率"),
    "missing_fps_per_camera": ("no fps_per_camera given", "未填写 fps_per_camera"),
    "missing_cameras": ("no cameras given", "未填写 cameras"),
    "missing_hours_per_year": ("no hours_per_year given", "未填写 hours_per_year"),
    "missing_device_price": ("no device_price given", "未填写 device_price"),
    "missing_electricity_per_kwh": ("no electricity_per_kwh given", "未填写 electricity_per_kwh"),
    "missing_years": ("no years given", "未填写 years"),
    "missing_engineer_hour": ("no engineer_hour given", "未填写 engineer_hour"),
    "missing_hours_by_hand": ("no hours_by_hand given", "未填写 hours_by_hand"),
    "missing_deploys": ("no deployment is recorded", "没有部署记录"),
    "missing_results": ("no measurement is recorded", "没有测量记录"),
    "missing_builds": ("no build is recorded", "没有构建记录"),
    "missing_gates": ("no INT8 engine was judged", "没有评判过 INT8 引擎"),
    "missing_regression_gates": ("no edgekit gate is recorded", "没有 edgekit gate 记录"),
    "missing_refreshes": ("no refresh is recorded", "没有刷新记录"),
    "streams_run": ("Cameras on one device", "单台设备可带摄像头数"),
    "how_streams_run": (
        "the most streams that were run at once with {fps} FPS for each",
        "实测同时运行、每路 {fps} FPS 的最大路数",
    ),
    "streams_divided": ("Cameras on one device", "单台设备可带摄像头数"),
    "how_streams_divided": (
        "lower end of the pipeline's rate / {fps} FPS, rounded down; more than one were not run at once",
        "流水线速率下界 ÷ {fps} FPS，向下取整；未实测多路同时运行",
    ),
    "devices": ("Devices for all cameras", "所有摄像头所需设备数"),
    "how_devices": (
        "{cameras} cameras / cameras on one device, rounded up",
        "{cameras} 路摄像头 ÷ 单台可带数，向上取整",
    ),
    "same_devices": ("Cameras on the devices needed before", "原有设备数可带的摄像头数"),
    "how_same_devices": (
        "devices needed before x cameras on one device: room for peaks without new machines",
        "之前所需设备数 × 单台可带数：无需新增设备即可应对高峰",
    ),
    "energy_year_load": ("Energy a year", "年耗电量"),
    "how_energy_year_load": (
        "(idle power + energy a frame above idle x frames) of all devices, {hours} a year; of the {of}, without what "
        "the sensor does not see",
        "所有设备的（空闲功耗 + 每帧超出空闲的能耗 × 帧数），每年 {hours}；对象：{of}，不含传感器测不到的部分",
    ),
    "energy_year_full": ("Energy a year, at most", "年耗电量上限"),
    "how_energy_year_full": (
        "mean power at full speed x devices x {hours}: an upper bound, idle power was not measured; of the {of}",
        "全速平均功耗 × 设备数 × {hours}：上限，未测量空闲功耗；对象：{of}",
    ),
    "device_cost": ("Price of the devices", "设备价格"),
    "how_device_cost": ("devices x device_price", "设备数 × device_price"),
    "energy_cost": ("Electricity a year", "年电费"),
    "how_energy_cost": ("energy a year x electricity_per_kwh", "年耗电量 × electricity_per_kwh"),
    "total_cost": ("Devices and electricity", "设备与电费合计"),
    "how_total_cost": ("over {years} years", "{years} 年合计"),
    "battery_load": ("Time on a battery", "电池续航"),
    "how_battery_load": (
        "battery_wh / power of one device with its cameras, of the {of}",
        "battery_wh ÷ 单台设备带其摄像头时的功耗（{of}）",
    ),
    "battery_full": ("Time on a battery, at least", "电池续航下限"),
    "how_battery_full": ("battery_wh / mean power at full speed, of the {of}", "battery_wh ÷ 全速平均功耗（{of}）"),
    "devices_run": ("Devices that edgekit deployed to", "由 edgekit 部署的设备"),
    "how_devices_run": ("of the {devices} in devices.yaml", "devices.yaml 中共 {devices} 台"),
    "deploy_time": ("Time of a deployment", "单次部署用时"),
    "how_deploy_time": (
        "median of the last one to each device that changed something",
        "各设备最近一次有变更的部署，取中位数",
    ),
    "measurements": ("Measurements on record", "测量记录数"),
    "how_measurements": ("versioned results from {first} to {last}", "{first} 至 {last} 的版本化结果"),
    "build_total": ("Building, without anybody waiting", "无人值守的构建用时"),
    "how_build_total": ("sum over {engines} engines that were measured", "{engines} 个已测引擎合计"),
    "int8_gates": ("INT8 engines judged before they shipped", "上线前评判的 INT8 引擎"),
    "how_int8_gates": ("{refused} of them were refused", "其中 {refused} 个未获通过"),
    "regression_gates": ("Changes checked against a baseline", "与基线核对的变更"),
    "how_regression_gates": ("{failed} of them regressed", "其中 {failed} 个出现退化"),
    "refreshes": ("Refreshes from field frames", "用现场图片刷新的次数"),
    "how_refreshes": ("{outcomes}", "{outcomes}"),
    "outcome_promoted": ("promoted {count}", "启用 {count} 次"),
    "outcome_kept": ("kept {count}", "保留原引擎 {count} 次"),
    "outcome_refused": ("refused {count}", "拒绝 {count} 次"),
    "outcome_unchanged": ("unchanged {count}", "无变化 {count} 次"),
    "outcome_waiting": ("waiting {count}", "待确认 {count} 次"),
    "outcome_promoting": ("promoting {count}", "启用中 {count} 次"),
    "outcome_reverted": ("reverted {count}", "回退 {count} 次"),
    "outcome_other": ("{name} {count}", "{name} {count} 次"),
    "outcome_failed": ("failed {count}", "失败 {count} 次"),
    "refresh_time": ("Time of a refresh", "单次刷新用时"),
    "how_refresh_time": ("median of those that came to an end", "已完成者的中位数"),
    "frames_refused": ("Field frames refused", "拒绝的现场图片"),
    "how_frames_refused": (
        "by the rules that keep a calibration set from being poisoned",
        "依据防止校准集被污染的规则",
    ),
    "hours_saved": ("Hours by hand that this stood for", "相当于的人工工时"),
    "how_hours_saved": ("{parts}, by your own hours_by_hand", "{parts}，依据您填写的 hours_by_hand"),
    "by_hand_deploy": ("{count} x deploy {hours}", "部署 {count} 次 × {hours}"),
    "by_hand_refresh": ("{count} x refresh {hours}", "刷新 {count} 次 × {hours}"),
    "by_hand_report": ("{count} x report {hours}", "报告 {count} 次 × {hours}"),
    "hours_cost": ("What these hours cost", "这些工时的成本"),
    "how_hours_cost": ("hours x engineer_hour", "工时 × engineer_hour"),
}


def review_text(lang: str, key: str, **values: object) -> str:
    """The text of that name in "en" or "zh", with {names} filled in; names of figures come from the report's texts."""
    if key not in _TABLE:
        return text(lang, key, **values)
    template = _TABLE[key][LANGUAGES.index(lang)]
    return template.format(**values) if values else template


def has_how(key: str) -> bool:
    """Whether it is told how a line was reckoned; measured figures are explained in the report."""
    return f"how_{key}" in _TABLE
